"""The script of a plan, run by dash and bash over real files with hostile names; and the plan as a table."""

import csv
import hashlib
import io
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lookalike.duplicates.plan import Keeping, PlannedGroup, planned
from lookalike.duplicates.preference import KeepRule
from lookalike.duplicates.script import csv_of, script_of
from lookalike.library.paths import escape_path
from tests.duplicates.samples import facts, group

SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
# As bytes on the disk; each is a copy of kept.jpg.
HOSTILE = [
    b"it's 'quoted'.jpg",
    b'"double" $HOME `id` $(touch pwned) \\n.jpg',
    b"line\nfeed\n",
    b"-rf",
    b"--help/-n/--.jpg",
    b" blanks \t.jpg ",
    b"byte\xe9\xff.jpg",
    b"ends in \xe9",
    b"star*?[a-z]{a,b}.jpg",
    b"~root;rm -rf *&|<>#!.jpg",
    b"carriage\rreturn.jpg",
    b"no extension",
    b".hidden/.dot",
    "東京/ünï\u202e.jpg".encode(),
    b"%s%n\\x41.jpg",
    b"=cmd|' /C calc'!A0.jpg",
]


@dataclass
class Library:
    """A library and the plan to keep kept.jpg of it."""

    root: Path
    script: Path

    def write(self, files: Mapping[bytes, bytes]) -> None:
        for name, content in files.items():
            path = Path(os.fsdecode(os.fsencode(self.root) + b"/" + name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def plan(self, names: list[bytes], content: bytes = b"one") -> list[PlannedGroup]:
        sha256 = hashlib.sha256(content).hexdigest()
        files = [facts(escape_path(os.fsdecode(name)), sha256=sha256) for name in names]
        first = facts("kept.jpg", sha256=hashlib.sha256(b"kept").hexdigest(), width_px=99)
        groups = list(planned([group(first, *files)], Keeping(KeepRule())))
        self.script.write_bytes(b"".join(script_of(groups, self.root)))
        return groups

    def run(self, shell: list[str], *folder: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [*shell, str(self.script), *map(str, folder)]
        done = subprocess.run(command, capture_output=True, check=False, cwd=cwd or self.root.parent, timeout=60)
        return subprocess.CompletedProcess(
            command, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )


@pytest.fixture(params=["library", "lib'r\nary\udce9 -n \n"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    made = Library(tmp_path / request.param, tmp_path / "plan.sh")
    made.root.mkdir()
    made.write({b"kept.jpg": b"kept"})
    return made


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"there is no {request.param[0]} here")
    return list(request.param)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "tar get'\n"
    folder.mkdir()
    return folder


def files_in(folder: Path) -> dict[bytes, bytes]:
    return {
        os.fsencode(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_hostile_names_are_moved_as_they_are_and_nothing_else_happens(
    library: Library, shell: list[str], target: Path
) -> None:
    library.write(dict.fromkeys(HOSTILE, b"one"))
    library.plan(HOSTILE)

    done = library.run(shell, target)

    assert (done.returncode, done.stderr) == (0, f"{len(HOSTILE)} moved, 0 left.\n")
    assert files_in(target) == dict.fromkeys(HOSTILE, b"one")
    assert files_in(library.root) == {b"kept.jpg": b"kept"}
    assert {path.name for path in target.parent.iterdir()} == {library.root.name, target.name, "plan.sh"}


def test_what_changed_since_is_left(library: Library, shell: list[str], target: Path) -> None:
    names = [b"changed.jpg", b"gone.jpg", b"link.jpg", b"as it was.jpg", b"became/a folder"]
    library.write(dict.fromkeys(names, b"one"))
    library.plan(names)
    before = (library.root / "changed.jpg").stat()
    (library.root / "changed.jpg").write_bytes(b"two")
    # Neither its size nor its time tells.
    os.utime(library.root / "changed.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
    (library.root / "gone.jpg").unlink()
    (library.root / "link.jpg").unlink()
    (library.root / "link.jpg").symlink_to(library.root / "as it was.jpg")
    (library.root / "became/a folder").unlink()
    (library.root / "became/a folder").mkdir()

    done = library.run(shell, target)

    assert done.returncode == 1
    assert sorted(done.stderr.splitlines()) == [
        "1 moved, 4 left.",
        "left: became/a folder: it has changed",
        "left: changed.jpg: it has changed",
        "left: gone.jpg: it is not there",
        "left: link.jpg: it is a link",
    ]
    assert files_in(target) == {b"as it was.jpg": b"one"}


def test_nothing_is_moved_for_a_kept_file_that_is_not_as_it_was(
    library: Library, shell: list[str], target: Path
) -> None:
    library.write({b"a.jpg": b"one", b"b.jpg": b"one"})
    library.plan([b"a.jpg", b"b.jpg"])
    (library.root / "kept.jpg").write_bytes(b"hollow")

    done = library.run(shell, target)

    assert done.stderr.splitlines()[-1] == "0 moved, 2 left."
    assert "the copy of it that is kept has changed" in done.stderr
    assert files_in(target) == {}


def test_another_name_of_the_kept_file_is_left(library: Library, shell: list[str], target: Path) -> None:
    (library.root / "hard.jpg").hardlink_to(library.root / "kept.jpg")
    library.plan([b"hard.jpg"], b"kept")

    done = library.run(shell, target)

    assert "it is the file that is kept, by another name" in done.stderr
    assert files_in(library.root).keys() == {b"hard.jpg", b"kept.jpg"}


def test_nothing_is_overwritten(library: Library, shell: list[str], target: Path) -> None:
    names = [b"a.jpg", b"sub/b", b"c.jpg"]
    library.write(dict.fromkeys(names, b"one"))
    library.plan(names)
    (target / "a.jpg").write_bytes(b"from before")
    (target / "a.1.jpg").symlink_to("nowhere")
    (target / "c.jpg").mkdir()
    (target / "sub").write_bytes(b"a file in the way")

    done = library.run(shell, target)

    assert done.stderr.splitlines()[-1] == "2 moved, 1 left."
    assert files_in(library.root).keys() == {b"kept.jpg", b"sub/b"}
    (target / "a.1.jpg").unlink()
    assert files_in(target) == {
        b"a.jpg": b"from before",
        b"a.2.jpg": b"one",
        b"c.1.jpg": b"one",
        b"sub": b"a file in the way",
    }


def test_a_second_run_moves_nothing_more(library: Library, shell: list[str], target: Path) -> None:
    library.write({b"a.jpg": b"one"})
    library.plan([b"a.jpg"])
    library.run(shell, target)

    done = library.run(shell, target)

    assert done.stderr == "left: a.jpg: it is not there\n0 moved, 1 left.\n"
    assert files_in(target) == {b"a.jpg": b"one"}


def test_a_folder_that_will_not_do_is_refused(library: Library, shell: list[str], target: Path) -> None:
    library.write({b"a.jpg": b"one", b"inside/b.jpg": b"two"})
    library.plan([b"a.jpg"])
    (target / "way in").symlink_to(library.root / "inside")

    for folders, words in (
        ([], "Name the folder"),
        ([""], "Name the folder"),
        ([target, target], "Name the folder"),
        ([target / "nowhere"], "is not there"),
        ([library.root], "lies in the library"),
        ([library.root / "inside"], "lies in the library"),
        ([target / "way in"], "lies in the library"),
        ([library.root.parent], "The library lies in that folder"),
        (["/"], "The library lies in that folder"),
    ):
        done = library.run(shell, *folders)
        assert done.returncode == 2
        assert words in done.stderr
    assert (library.root / "a.jpg").exists()


def test_a_folder_is_named_from_where_one_is(library: Library, shell: list[str], target: Path) -> None:
    library.write({b"a.jpg": b"one"})
    library.plan([b"a.jpg"])
    (target / "-n").mkdir()

    assert library.run(shell, "-n", cwd=target).returncode == 0
    assert files_in(target) == {b"-n/a.jpg": b"one"}


def test_without_a_library_nothing_is_done(library: Library, shell: list[str], target: Path) -> None:
    library.write({b"a.jpg": b"one"})
    library.plan([b"a.jpg"])
    library.root.rename(library.root.parent / "elsewhere")

    done = library.run(shell, target)

    assert (done.returncode, files_in(target)) == (2, {})
    assert "The library is not there." in done.stderr


def test_each_program_for_sha_256_does(library: Library, target: Path, tmp_path: Path) -> None:
    names = [b"1.jpg", b"2.jpg"]
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cut", "tr", "mv", "mkdir"):
        (tools / name).symlink_to(shutil.which(name) or "")
    found = [tool for tool in ("sha256sum", "shasum", "openssl") if shutil.which(tool)]
    assert found
    for tool in found:
        library.write(dict.fromkeys(names, b"one"))
        library.plan(names)
        (tools / tool).symlink_to(shutil.which(tool) or "")
        (tools / "perl").unlink(missing_ok=True)
        if tool == "shasum":
            (tools / "perl").symlink_to(shutil.which("perl") or "")
        done = subprocess.run(
            ["/bin/sh", library.script, target], capture_output=True, check=False, env={"PATH": str(tools)}, timeout=60
        )
        assert done.stderr.decode() == "2 moved, 0 left.\n"
        (tools / tool).unlink()
    done = subprocess.run(
        ["/bin/sh", library.script, target], capture_output=True, check=False, env={"PATH": str(tools)}, timeout=60
    )
    assert (done.returncode, done.stderr.decode()[:31]) == (2, "There is no program for SHA-256")


def test_the_table_is_read_back_and_holds_no_formula(library: Library) -> None:
    groups = library.plan(HOSTILE)
    text = "".join(csv_of(groups))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert [row["path"].removeprefix("'") for row in rows] == [file.path for file in groups[0].files]
    assert [row["action"] for row in rows] == ["keep", *["move"] * len(HOSTILE)]
    assert rows[1]["copy_of"] == "kept.jpg"
    for row in rows:
        assert not any(str(value).startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for value in row.values())
    assert text.startswith("group,action,path,copy_of,label,reason,")
    assert text.count(f"{rows[-1]['sha256']}\r\n") == len(HOSTILE)
