"""Which name each of several folders has, and what becomes of it when others come, go or are renamed."""

from pathlib import Path

import pytest

from lookalike import Client
from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.library.joined.folders import Joined, read_joined
from lookalike.local.folders.joining import check_folders, join, joined_root, name_for, plan, root_with
from lookalike.local.folders.library_folders import adopt_renamed, folder_of
from lookalike.local.folders.library_identity import keep_identity
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.testing import InMemoryTransport

A, B, C = Path("/disk/photos"), Path("/nas/photos"), Path("/scans")


def planned(known: Joined, *given: Path, only_these: bool = False) -> Joined:
    return plan(known, given, dict.fromkeys(given), only_these=only_these)[0]


def test_a_folder_keeps_its_name_when_others_come() -> None:
    first = planned(Joined({}), A, C)
    more = planned(first, B, C, A)

    assert first.folders == {"photos": A, "scans": C}
    assert more.folders == {"photos": A, "scans": C, "photos-2": B}


def test_one_that_is_not_named_is_taken_out_only_if_that_is_said() -> None:
    known = planned(Joined({}), A, B)

    with pytest.raises(Misconfigured, match=r"This library has /nas/photos as well: .* add --only-these to take"):
        planned(known, A)
    now, news = plan(known, [A], {A: (1, 2)}, only_these=True)
    assert (now.folders, now.dropped) == ({"photos": A}, {"photos-2": B})
    assert news == ["Out      /nas/photos: its files are taken out of the index"]


def test_one_that_comes_back_has_its_name_again_and_no_other_gets_it() -> None:
    without = planned(planned(Joined({}), A, B), A, only_these=True)

    assert planned(without, A, Path("/usb/photos")).folders == {"photos": A, "photos-3": Path("/usb/photos")}
    again = planned(without, A, B)
    assert (again.folders, again.dropped) == ({"photos": A, "photos-2": B}, {})


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/", "folder"),
        ("/a/..b", "..b"),
        ("/a/My Photos (2024)", "My Photos -2024"),
        ("/a/Fotos für Oma", "Fotos für Oma"),
        ("/a/a\nb", "a-b"),
        ("/a/\udce9", "folder"),
        ("/a/folders.json", "folders.json-2"),
        ("/a/Scans", "Scans-2"),
    ],
)
def test_a_name_can_be_typed(folder: str, name: str) -> None:
    assert name_for(Path(folder), {"folders.json", "scans"}) == name


def test_one_in_another_is_refused(folder: DataFolder) -> None:
    with pytest.raises(Misconfigured, match="/scans/a lies in /scans, with which it is indexed: name /scans alone"):
        check_folders([A, C / "a", C], folder)


def made(tmp_path: Path, *names: str) -> list[Path]:
    for name in names:
        (tmp_path / name).mkdir()
    return [tmp_path / name for name in names]


def bound(folder: DataFolder, *given: Path, only_these: bool = False) -> Path:
    """As `up` does it."""
    root = join(folder, given, only_these=only_these, rebuild=False).root
    keep_identity(root, "the-id", folder)
    return root


def test_a_library_of_one_folder_becomes_one_of_several_and_stays_that(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    assert bound(folder, photos) == photos
    assert not joined_root(folder).exists()

    root = bound(folder, photos, scans)

    assert root == joined_root(folder)
    assert {entry.name for entry in root.iterdir() if entry.resolve() in (photos, scans)} == {"photos", "scans"}
    assert root_with(folder, scans) == root
    assert bound(folder, photos, only_these=True) == root
    assert {entry.name for entry in root.iterdir()} == {"photos", "folders.json"}
    with pytest.raises(CollectionMismatch, match=r"belongs to the library .*photos: add --rebuild"):
        join(folder, [scans], only_these=True, rebuild=False)
    assert join(folder, [scans], only_these=False, rebuild=True).root == scans


def test_one_folder_that_was_renamed_and_gets_a_second_one_is_known(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    bound(folder, photos)

    pictures = photos.rename(tmp_path / "pictures")

    joined = read_joined(bound(folder, pictures, scans))
    assert joined is not None
    assert joined.folders == {"pictures": pictures, "scans": scans}
    with pytest.raises(CollectionMismatch):
        join(folder, made(tmp_path, "others", "more"), only_these=False, rebuild=False)


def test_one_that_was_renamed_keeps_its_name(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    bound(folder, photos, scans)
    pictures = photos.rename(tmp_path / "pictures")

    library = join(folder, [pictures, scans], only_these=False, rebuild=False)

    joined = read_joined(library.root)
    assert joined is not None
    assert joined.folders == {"photos": pictures, "scans": scans}
    assert library.news == (f"Known    {pictures}, before {photos}: its part of the index is kept",)
    assert (library.root / "photos").readlink() == pictures


def test_by_the_librarys_id_its_folders_are_known_on_another_disk(folder: DataFolder, tmp_path: Path) -> None:
    bound(folder, *made(tmp_path, "photos", "scans"))
    (tmp_path / "photos").rmdir()
    (tmp_path / "scans").rmdir()
    (tmp_path / "disk").mkdir()
    photos, scans = made(tmp_path / "disk", "photos", "scans")

    library = join(folder, [scans, photos], only_these=False, rebuild=False, library_id="the-id")

    joined = read_joined(library.root)
    assert joined is not None
    assert joined.folders == {"photos": photos, "scans": scans}


def test_one_that_is_known_may_be_away_at_start_but_not_all_of_them(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    bound(folder, photos, scans)
    unplugged = scans.rename(tmp_path / "unplugged")

    assert check_folders([scans, photos], folder) == [photos]
    assert join(folder, [scans, photos], only_these=False, rebuild=False).news == (
        f"Missing  {scans}: nothing of it is removed",
    )
    # The place is kept, so that it is known under another name.
    assert "before" in join(folder, [unplugged, photos], only_these=False, rebuild=False).news[0]
    with pytest.raises(Misconfigured, match="none does not exist"):
        check_folders([photos, tmp_path / "none"], folder)
    photos.rmdir()
    unplugged.rmdir()
    with pytest.raises(Misconfigured, match="photos does not exist"):
        check_folders([photos, unplugged], folder)


def test_a_data_folder_that_was_moved_still_knows_its_folders(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    bound(folder, photos, scans)

    moved = DataFolder(folder.root.rename(tmp_path / "moved"))

    assert join(moved, [photos, scans], only_these=False, rebuild=False).root == tmp_path / "moved" / "folders"


def test_any_of_its_folders_leads_to_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOOKALIKE_DATA", raising=False)
    settings = read_settings()
    photos, scans, others, more = made(tmp_path, "photos", "scans", "others", "more")
    first, second = folder_of(photos, settings, [scans]), None
    make_data_folder(first)
    root = bound(first, photos, scans)
    second = folder_of(others, settings)
    make_data_folder(second)
    bound(second, others)

    assert folder_of(scans, settings) == folder_of(more, settings, [photos]) == first != second
    assert adopt_renamed(scans, first, None) is None
    renamed = scans.rename(tmp_path / "renamed")
    assert folder_of(renamed, settings) == first
    assert folder_of(root, settings) == first
    with pytest.raises(Misconfigured, match=r"These folders are libraries of their own, on .* and "):
        folder_of(photos, settings, [others])


def test_a_status_names_the_folders_and_looks_at_their_disks_once(folder: DataFolder, tmp_path: Path) -> None:
    photos, scans = made(tmp_path, "photos", "scans")
    root = bound(folder, photos, scans)

    with Client(read_settings(library=root), transport=InMemoryTransport()) as client:
        first = client.status().library
        root.rename(tmp_path / "elsewhere")
        second = client.status().library

    assert first == second == f"{photos}, {scans}"
