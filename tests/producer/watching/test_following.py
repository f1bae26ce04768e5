"""What takes another's name, leads through other names, or has a very long one, while the producer runs."""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.broker.telemetry import Telemetry
from lookalike.library.version import version_of
from lookalike.settings import Settings
from producer.service import Service
from tests.producer.conftest import Rest, producing
from tests.producer.files import draw, draw_old
from tests.producer.other_side import OtherSide
from tests.support.waiting import wait_until

# linux/fs.h, fcntl.h.
RENAME_EXCHANGE, AT_FDCWD = 2, -100


@pytest.fixture(autouse=True)
def service(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> Iterator[Service]:  # noqa: ARG001
    draw_old(library / "first.jpg")
    with producing(settings) as running:
        rest()
        yield running


def exchange(one: Path, other: Path) -> None:
    """As `mv --exchange` does; skips where the system or the file system cannot."""
    kernel = ctypes.CDLL(None, use_errno=True)
    if not hasattr(kernel, "renameat2"):
        pytest.skip("this system cannot exchange names")
    if kernel.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        pytest.skip(f"this file system cannot exchange names ({os.strerror(ctypes.get_errno())})")


def agrees(library: Path, side: OtherSide) -> bool:
    """Whether the index has each file in the version that it has now."""
    files = {path.relative_to(library).as_posix(): path for path in library.rglob("*.jpg") if path.is_file()}
    known = {path: file.version for path, file in side.files.items()}
    return known == {name: version_of(path.stat()).token for name, path in files.items()}


def test_of_two_exchanged_files_each_has_the_other_ones_version(library: Path, side: OtherSide) -> None:
    draw(library / "a.jpg", "one")
    draw(library / "b.jpg", "another")
    wait_until(lambda: agrees(library, side))

    exchange(library / "a.jpg", library / "b.jpg")

    wait_until(lambda: agrees(library, side))


def test_of_two_exchanged_folders_both_are_right_and_watched(library: Path, side: OtherSide) -> None:
    for name in ("one/a.jpg", "one/sub/b.jpg", "one/same.jpg", "other/c.jpg", "other/same.jpg"):
        draw(library / name, name)
    wait_until(lambda: agrees(library, side))

    exchange(library / "one", library / "other")
    wait_until(lambda: agrees(library, side))

    for name in ("one/new.jpg", "other/new.jpg", "other/sub/new.jpg"):
        draw(library / name, name)
    wait_until(lambda: agrees(library, side))
    (library / "one" / "c.jpg").unlink()
    wait_until(lambda: agrees(library, side))


def test_a_link_follows_each_name_that_it_leads_through(library: Path, side: OtherSide) -> None:
    draw(library / "v1" / "p.jpg", "one")
    draw(library / "v2" / "p.jpg", "another")
    (library / "current").symlink_to("v1")
    (library / "shown.jpg").symlink_to("current/p.jpg")
    (library / "again.jpg").symlink_to("shown.jpg")
    wait_until(lambda: agrees(library, side))

    (library / "next").symlink_to("v2")
    (library / "next").rename(library / "current")
    wait_until(lambda: agrees(library, side))
    (library / "current").unlink()
    wait_until(lambda: "again.jpg" not in side.files and "shown.jpg" not in side.files)
    (library / "current").symlink_to("v1")
    wait_until(lambda: "again.jpg" in side.files and agrees(library, side))


@pytest.mark.skipif(sys.platform != "linux", reason="PATH_MAX is Linux'")
def test_a_folder_whose_path_no_message_can_carry_ends_nothing(library: Path, side: OtherSide) -> None:
    at = os.open(library, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=at)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    draw(library / "during.jpg")
    wait_until(lambda: "during.jpg" in side.files)
    shutil.rmtree(library / ("d" * 200))

    draw(library / "after.jpg")
    wait_until(lambda: "after.jpg" in side.files)


def test_a_file_that_never_rests_is_named_in_the_report(
    library: Path, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.debounce.RESTLESS_S", 0.3)

    def is_named() -> bool:
        with (library / "webcam.jpg").open("a") as file:
            file.write("frame")
        return telemetry.read_report().restless == "webcam.jpg"

    wait_until(is_named, every_s=0.02)
    wait_until(lambda: telemetry.read_report().restless == "")
