"""What is in a folder, what counts, and what is gone."""

import os
from pathlib import Path

import pytest

from lookalike.library.folder import EMPTY, MISSING, NOT_A_FOLDER, Count, FolderLibrary
from lookalike.library.links import Links
from lookalike.library.rules import Candidates
from lookalike.library.version import folder_version
from tests.producer.files import draw


@pytest.fixture
def disk(root: Path) -> FolderLibrary:
    return FolderLibrary(root, Candidates(("jpg",), ignore=("raw",)), Links())


def never() -> bool:
    return False


def paths(disk: FolderLibrary, under: str = "") -> list[str]:
    return sorted(found.path for found in disk.files(under))


def test_a_library_is_there_missing_empty_or_no_folder(disk: FolderLibrary, root: Path) -> None:
    assert disk.absence() == EMPTY
    file = draw(root / "notes.txt")
    assert disk.absence() is None
    file.unlink()
    root.rmdir()
    assert (disk.absence(), disk.identity()) == (MISSING, None)
    root.write_text("")
    assert disk.absence() == NOT_A_FOLDER


def test_a_walk_finds_candidates_and_enters_no_hidden_or_ignored_folder(disk: FolderLibrary, root: Path) -> None:
    for name in ("a.jpg", "deep/er/b.jpg", ".hidden/c.jpg", "raw/d.jpg", "deep/raw/e.jpg", "deep/.f.jpg", "g.txt"):
        draw(root / name)

    assert paths(disk) == ["a.jpg", "deep/er/b.jpg"]
    assert paths(disk, "deep") == ["deep/er/b.jpg"]
    assert disk.count(never) == Count(discovered=2, ignored=2)


def test_a_walk_tells_size_and_time(disk: FolderLibrary, root: Path) -> None:
    os.utime(draw(root / "a.jpg", "123"), ns=(5, 7))

    changed_ns = (root / "a.jpg").stat().st_ctime_ns
    assert [found.version for found in disk.files()] == [folder_version(3, 7, changed_ns)]
    assert disk.stat("a.jpg") == folder_version(3, 7, changed_ns)


def test_only_files_and_links_to_files_inside_are_files(disk: FolderLibrary, root: Path, tmp_path: Path) -> None:
    draw(root / "a.jpg")
    draw(tmp_path / "outside.jpg")
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "broken.jpg").symlink_to("nothing.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")
    (root / "above").symlink_to(root)

    count = disk.count(never)

    assert paths(disk) == ["a.jpg", "inside.jpg"]
    assert count == Count(discovered=2, ignored=5)
    for name in ("folder.jpg", "pipe.jpg", "outside.jpg", "broken.jpg", "loop.jpg"):
        assert disk.stat(name) is None


def test_a_name_without_a_file_behind_it_is_gone(disk: FolderLibrary, root: Path) -> None:
    draw(root / "a.jpg")
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "broken.jpg").symlink_to("nothing.jpg")
    (root / "folder.jpg").mkdir()

    gone = {name: disk.is_gone(name) for name in ("a.jpg", "inside.jpg", "broken.jpg", "folder.jpg", "b.jpg")}

    assert gone == {"a.jpg": False, "inside.jpg": False, "broken.jpg": True, "folder.jpg": True, "b.jpg": True}
    assert disk.is_gone("a.jpg/below.jpg")


def test_a_disk_that_fails_is_not_a_file_that_is_gone(disk: FolderLibrary) -> None:
    # The kernel refuses such names with ENAMETOOLONG, an error like any other here.
    assert not disk.is_gone("n" * 5000)


def test_escaped_names_are_found_again_on_the_disk(disk: FolderLibrary, root: Path) -> None:
    draw(root / "caf\udce9" / "na\udcefve.jpg")
    draw(root / "honest\\xe9.jpg")

    assert disk.unescape("caf\\xe9/na\\xefve.jpg") == "caf\udce9/na\udcefve.jpg"
    assert disk.unescape("honest\\x5cxe9.jpg") == "honest\\xe9.jpg"
    assert disk.unescape("gone\\xe9.jpg") == "gone\udce9.jpg"
    assert disk.unescape("plain.jpg") == "plain.jpg"


def test_a_count_ends_when_it_should_stop(disk: FolderLibrary, root: Path) -> None:
    draw(root / "a.jpg")

    assert disk.count(lambda: True) is None


def test_a_folder_that_is_not_there_has_no_files(disk: FolderLibrary) -> None:
    assert paths(disk, "nothing/here") == []
