"""Several folders as one library: names before paths, each with rules and presence of its own, and no way out."""

import os
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured, Refused
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import EMPTY, MISSING
from lookalike.library.joined.folders import Joined, file_at, folders_of, inside, nested, read_joined, shown
from lookalike.library.joined.library import JoinedLibrary
from lookalike.library.joined.reader import JoinedReader
from lookalike.library.joined.rules import TAKEN_OUT, JoinedCandidates, rules_from_json
from lookalike.library.opening import candidates_of, library_of, opened_library, reader_of
from lookalike.library.rules import IGNORE_FILE
from lookalike.local.folders.joining import write_joined
from lookalike.settings import Settings, read_settings
from tests.support.pictures import draw


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two with a picture each, of the same name."""
    photos, scans = tmp_path / "disk" / "photos", tmp_path / "scans"
    draw(photos / "trip" / "1.png", 1)
    draw(scans / "1.png", 2)
    return photos, scans


@pytest.fixture
def root(tmp_path: Path, folders: tuple[Path, Path]) -> Path:
    root = tmp_path / "data"
    write_joined(root, Joined({"photos": folders[0], "scans": folders[1]}, dropped={"old": tmp_path / "old"}))
    return root


@pytest.fixture
def settings(root: Path) -> Settings:
    return read_settings(library=root)


@pytest.fixture
def library(settings: Settings, root: Path) -> JoinedLibrary:
    library = opened_library(settings, root)
    assert isinstance(library, JoinedLibrary)
    return library


@pytest.fixture
def reader(settings: Settings) -> JoinedReader:
    reader = reader_of(settings)
    assert isinstance(reader, JoinedReader)
    return reader


def test_paths_begin_with_the_name_of_their_folder(library: JoinedLibrary, reader: JoinedReader) -> None:
    assert sorted(file.path for file in library.files()) == ["photos/trip/1.png", "scans/1.png"]
    assert [file.path for file in library.files("photos/trip")] == ["photos/trip/1.png"]
    counted = library.count(lambda: False)
    assert counted is not None
    assert counted.discovered == 2
    for path in ("photos/trip/1.png", "scans/1.png"):
        assert library.stat(path) == reader.version(path) is not None
    content = reader.read("scans/1.png")
    assert content is not None
    assert library.read("scans/1.png", 10**6) == content.blob


def test_a_table_that_others_could_write_joins_nothing(root: Path) -> None:
    assert read_joined(root) is not None
    root.chmod(0o755)
    assert read_joined(root) is None
    assert folders_of(root) == {"": root}


def test_nothing_outside_of_the_folders_is_read(library: JoinedLibrary, reader: JoinedReader, root: Path) -> None:
    (root / "other").symlink_to("/etc")
    (root.parent / "scans" / "link.png").symlink_to("/etc/hostname")

    for path in ("other/hostname", "folders.json", "scans", "scans/link.png"):
        assert (reader.version(path), reader.read(path), library.stat(path)) == (None, None, None)
    with pytest.raises(Refused, match="not a path inside the library"):
        reader.read("scans/../../data/folders.json")
    assert sorted(file.path for file in library.files()) == ["photos/trip/1.png", "scans/1.png"]


@pytest.mark.parametrize("reason", [MISSING, EMPTY])
def test_a_folder_that_is_away_loses_nothing_and_the_others_go_on(
    library: JoinedLibrary, reader: JoinedReader, folders: tuple[Path, Path], reason: str
) -> None:
    (folders[1] / "2.png").write_bytes((folders[1] / "1.png").read_bytes())
    (folders[1] / "1.png").unlink()
    folders[0].rename(folders[0].with_name("unplugged"))
    if reason == EMPTY:
        folders[0].mkdir()

    assert library.absence() is None
    assert not library.is_gone("photos/trip/1.png")
    assert library.is_gone("scans/1.png")
    assert library.partial_absence().startswith(f"{folders[0]} {reason}: nothing of it is removed")
    assert [file.path for file in library.files()] == ["scans/2.png"]
    assert reader.present(["photos/trip/1.png", "scans/1.png", "1.png"]) == ["scans/1.png", "1.png"]
    with pytest.raises(LibraryOffline):
        reader.is_gone("photos/trip/1.png")
    assert reader.is_gone("scans/1.png")
    # What had no name before it was joined may be of the folder that is away.
    assert not library.is_gone("trip/1.png")
    with pytest.raises(LibraryOffline):
        reader.is_gone("trip/1.png")


def test_without_any_of_its_folders_it_is_away(library: JoinedLibrary, folders: tuple[Path, Path]) -> None:
    identity = library.identity()
    for folder in folders:
        folder.rename(folder.with_name(f"{folder.name} unplugged"))

    assert library.absence() == MISSING
    assert not library.is_available()
    assert library.identity() != identity


def test_each_folder_has_the_rules_of_its_own_ignore_file(
    settings: Settings, root: Path, folders: tuple[Path, Path], library: JoinedLibrary
) -> None:
    (folders[0] / IGNORE_FILE).write_text("/trip\n")
    draw(folders[1] / "trip" / "3.png", 3)

    library.candidates = candidates_of(settings, root)

    assert sorted(file.path for file in library.files()) == ["scans/1.png", "scans/trip/3.png"]
    assert ("photos/trip/", f"{IGNORE_FILE}:1: /trip") in list(library.ignored())
    assert library.includes_folder("scans/trip")
    assert not library.includes_folder("photos/trip")
    assert library.ignore_files == {f"photos/{IGNORE_FILE}", f"scans/{IGNORE_FILE}"}
    (folders[1] / IGNORE_FILE).write_text("..\n")
    with pytest.raises(Misconfigured, match=f"{folders[1]}: {IGNORE_FILE}:1"):
        candidates_of(settings, root)


def test_the_rules_reach_another_process_and_leave_out_what_was_taken_out(library: JoinedLibrary) -> None:
    rules = library.candidates

    again = rules_from_json(rules.to_json())

    assert (again, again.digest, hash(again)) == (rules, rules.digest, hash(rules))
    assert again.why_left_out("old/1.png") == TAKEN_OUT
    assert again.is_candidate("scans/1.png")
    # From before there were several folders: whether it is there decides.
    assert again.is_candidate("1.png")
    assert not again.is_candidate("scans/1.txt")
    assert not again.includes_folder("old")
    assert isinstance(rules, JoinedCandidates)
    assert rules_from_json(rules.parts["scans"].to_json()) == rules.parts["scans"]


def test_links_and_other_names_stay_in_their_folder(library: JoinedLibrary, folders: tuple[Path, Path]) -> None:
    os.link(folders[1] / "1.png", folders[1] / "2.png")
    (folders[1] / "3.png").symlink_to("1.png")

    assert len(list(library.files())) == 4
    assert set(library.links.other_names("scans/1.png")) == {"scans/2.png", "scans/3.png"}
    assert library.links.other_names("photos/1.png") == []
    library.links.remove_link("scans/3.png")
    assert library.links.other_names("scans/1.png") == ["scans/2.png"]
    assert library_of(read_settings(library=library.root)).links.other_names("scans/1.png") == []


def test_a_file_on_the_disk_and_its_path_find_each_other(root: Path, folders: tuple[Path, Path]) -> None:
    file = folders[0] / "trip" / "1.png"

    assert file_at(root, "photos/trip/1.png") == file
    assert inside(root, file) == inside(root, root / "photos" / "trip" / "1.png") == "photos/trip/1.png"
    assert inside(root, folders[0]) is None
    assert inside(root, root / "folders.json") is None
    assert inside(folders[1], folders[1] / "1.png") == "1.png"
    assert shown(root) == f"{folders[0]}, {folders[1]}"
    assert nested([folders[0], folders[1], folders[0] / "trip"]) == (folders[0], folders[0] / "trip")
    assert nested(folders) is None
