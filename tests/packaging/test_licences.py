"""Every wheel that the extras bring was looked at: its licence, and what lies in it."""

from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.test_metadata import PINNED
from tests.programs.licences.__main__ import wheels_here
from tests.programs.licences.review import Reviewed, Row, read_review, surprises
from tests.programs.licences.wheels import Wheel, needed, read

REVIEWED = read_review((ROOT / "docs/decisions/licences.md").read_text("utf-8"))
ELF = b"\x7fELF" + bytes(60)


def installed(folder: Path, name: str, metadata: str, files: dict[str, bytes]) -> Distribution:
    """A distribution with these files, as an installer leaves it."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}")
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in [*files, f"{info.name}/METADATA"]))
    return PathDistribution(info)


@pytest.fixture(scope="module")
def here() -> tuple[list[Wheel], set[str]]:
    """All wheels, and the names of those that users get."""
    return wheels_here()


def test_all_that_is_installed_was_reviewed(here: tuple[list[Wheel], set[str]]) -> None:
    wheels, users = here

    assert surprises(wheels, users, REVIEWED) == []
    assert len(wheels) > len(users) > len(REVIEWED.wheels) / 2


def test_the_list_names_nothing_that_is_not_brought() -> None:
    bundled = {library for row in REVIEWED.wheels.values() for library in row.bundles}

    assert set(REVIEWED.wheels) <= set(PINNED)
    assert bundled == set(REVIEWED.libraries)


def test_what_is_gpl_as_a_whole_is_for_developers_alone(here: tuple[list[Wheel], set[str]]) -> None:
    _, users = here

    assert "pillow-heif" not in users
    assert REVIEWED.wheels["pillow-heif"].audience == "dev"


@pytest.mark.parametrize(
    ("metadata", "files", "surprise"),
    [
        ("License-Expression: MIT\n", {}, None),
        ("License-Expression: MIT\n", {"one/_one.abi3.so": ELF}, None),
        ("License-Expression: MIT\n", {"one.libs/libheif-7a3e919c.so.1.23.0": ELF}, None),
        ("License-Expression: GPL-3.0-only\n", {}, "one has the licence 'GPL-3.0-only', the list says 'MIT'"),
        ("License-Expression: GPL-3.0-only\n", {}, "one is under GPL-3.0-only, which users must not get"),
        ("License: GPLv2\n", {}, "one is under GPLv2, which users must not get"),
        (
            "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)\n",
            {},
            "one is under GNU General Public License v3 (GPLv3), which users must not get",
        ),
        (
            "License-Expression: MIT\n",
            {"one.libs/libx265-4883ecb5.so.217": ELF},
            "one bundles libx265, GPL-2.0-or-later, which users must not get",
        ),
        (
            "License-Expression: MIT\n",
            {"one/_one.abi3.so": ELF + b"x265 [info]: "},
            "one bundles libx265, GPL-2.0-or-later, which users must not get",
        ),
        (
            "License-Expression: MIT\n",
            {"one/.dylibs/libnew.3.dylib": b"\xcf\xfa\xed\xfe"},
            "libnew in one has no licence in the list of libraries",
        ),
        ("License-Expression: MIT\n", {"one/bin/server": ELF}, "one bundles server, which the list does not say"),
    ],
)
def test_a_surprise_is_told(tmp_path: Path, metadata: str, files: dict[str, bytes], surprise: str | None) -> None:
    wheel = read(installed(tmp_path, "one", metadata, files))
    reviewed = Reviewed({"one": Row("users", "MIT", frozenset({"libheif"}))}, REVIEWED.libraries)

    found = surprises([wheel], {"one"}, reviewed)

    assert found == [] if surprise is None else surprise in found


def test_a_wheel_that_nobody_looked_at_is_told_with_its_row(tmp_path: Path) -> None:
    wheel = read(installed(tmp_path, "New_One", "License-Expression: MIT\n", {}))

    assert surprises([wheel], set(), REVIEWED) == ["new-one was not reviewed: | `new-one` | dev | MIT |  |"]


def test_what_is_needed_is_followed_by_extra_and_marker(tmp_path: Path) -> None:
    def one(name: str, *requires: str) -> Distribution:
        return installed(tmp_path / name, name, "".join(f"Requires-Dist: {line}\n" for line in requires), {})

    everything = [
        one("top", "plain", 'optional ; extra == "more"', 'elsewhere ; sys_platform == "none"'),
        one("plain"),
        one("optional", "deep[inner]"),
        one("deep", 'innermost ; extra == "inner"'),
        one("innermost"),
    ]
    installed_here: dict[str, Distribution] = {distribution.name: distribution for distribution in everything}

    assert needed(["top"], installed_here) == {"top", "plain"}
    assert needed(["top[more]"], installed_here) == {"top", "plain", "optional", "deep", "innermost"}
