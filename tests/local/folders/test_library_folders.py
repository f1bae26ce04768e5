"""Which data folder a library has, and how it is found again when the library has another name."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.local.folders.joining import join
from lookalike.local.folders.library_folders import adopt_renamed, folder_of
from lookalike.local.folders.library_identity import identity_of, keep_identity, owned_by
from lookalike.settings import Settings, read_settings
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.discovery import (
    RunningSystem,
    find_running,
    library_around,
    publish,
    running_systems,
    with_running,
)
from lookalike.system.file_locks import hold_lock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOOKALIKE_DATA", raising=False)
    return tmp_path / "home" / "lookalike"


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def library(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    return folder


def bound(folder: Path | BucketAddress, settings: Settings) -> DataFolder:
    """As `up` does it."""
    data = folder_of(folder, settings)
    make_data_folder(data)
    keep_identity(folder, identity_of(folder, data, rebuild=False, given=settings.library_id), data)
    return data


def test_a_bucket_has_a_data_folder_of_its_own_and_keeps_it(tmp_path: Path, home: Path) -> None:
    settings, photos = read_settings(), library(tmp_path, "photos")
    bucket, other = BucketAddress("s3://photos/2026"), BucketAddress("s3://photos/2027")

    folders = [bound(each, settings).root for each in (photos, bucket, other)]

    assert folders == [bound(each, settings).root for each in (photos, bucket, other)]
    assert len(set(folders)) == 3
    assert folders[1].parent == home / "libraries"
    assert folders[1].name.startswith("2026-")
    assert owned_by(DataFolder(folders[1])).root == "s3://photos/2026"


def test_each_library_has_a_data_folder_of_its_own_and_keeps_it(tmp_path: Path, home: Path) -> None:
    settings, photos, scans = read_settings(), library(tmp_path, "photos"), library(tmp_path, "old/photos")

    first, second = bound(photos, settings), bound(scans, settings)

    assert first.root == home
    assert second.root.parent == home / "libraries"
    assert second.root.name.startswith("photos-")
    assert (folder_of(photos, settings), folder_of(scans, settings)) == (first, second)
    assert owned_by(first).id != owned_by(second).id


def test_a_data_folder_that_is_set_is_taken(tmp_path: Path) -> None:
    settings = read_settings(data=tmp_path / "mine")

    assert folder_of(library(tmp_path, "photos"), settings).root == tmp_path / "mine"


def test_a_library_that_starts_for_the_first_time_is_not_disturbed(tmp_path: Path, home: Path) -> None:
    settings, first = read_settings(), DataFolder(home)
    make_data_folder(first)

    with hold_lock(first.lock):
        assert folder_of(library(tmp_path, "photos"), settings).root.parent == home / "libraries"
    assert folder_of(tmp_path / "photos", settings) == first


def test_a_renamed_library_is_known_and_keeps_its_id(tmp_path: Path) -> None:
    settings, photos = read_settings(), library(tmp_path, "photos")
    bound(library(tmp_path, "others"), settings)
    before = bound(photos, settings)
    known = owned_by(before).id
    renamed = photos.rename(tmp_path / "pictures")

    assert folder_of(renamed, settings) == before
    assert adopt_renamed(renamed, before, None) == str(photos)
    assert adopt_renamed(renamed, before, None) is None
    assert identity_of(renamed, before, rebuild=False) == known


def test_a_copy_of_a_library_and_another_one_at_its_path_are_other_libraries(tmp_path: Path) -> None:
    settings, photos = read_settings(), library(tmp_path, "photos")
    before = bound(photos, settings)
    copy = library(tmp_path, "copy")

    assert folder_of(copy, settings) != before
    # Both names lead to one folder, so it was not renamed.
    link = tmp_path / "link"
    link.symlink_to(photos)
    assert adopt_renamed(link, before, None) is None


def test_a_library_that_came_from_another_disk_is_known_by_its_id(tmp_path: Path) -> None:
    photos = library(tmp_path, "photos")
    before = bound(photos, read_settings())
    restored = library(tmp_path, "restored")
    settings = read_settings(library_id=owned_by(before).id)

    assert folder_of(restored, settings) == before
    assert adopt_renamed(restored, before, settings.library_id) == str(photos)


def running(folder: DataFolder, root: Path) -> RunningSystem:
    return RunningSystem(
        pid=os.getpid(),
        data=folder.root,
        library=root,
        library_id="an-id",
        name=root.name,
        model="resnet",
        distance="dot",
        redis_url=f"redis://127.0.0.1/{root.name}",
        qdrant_url="http://127.0.0.1:6333",
        flower_url="http://127.0.0.1:5555",
        extensions=("jpg",),
        ignore=(),
    )


@pytest.fixture
def three(tmp_path: Path, held: ExitStack) -> list[Path]:
    """Three libraries whose systems run, the last one within the second."""
    roots = [library(tmp_path, name) for name in ("photos", "scans", "scans/old")]
    for root in roots:
        folder = bound(root, read_settings())
        held.enter_context(hold_lock(folder.lock))
        publish(folder, running(folder, root))
    return roots


def test_a_command_takes_the_library_in_which_it_is_typed(three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for root in three:
        (root / "a folder").mkdir()
        monkeypatch.chdir(root / "a folder")
        found = find_running(read_settings())
        assert found is not None
        assert found.library == root


def test_elsewhere_it_must_be_told_which_one(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Misconfigured, match="choose one with --library, or go into its folder"):
        find_running(read_settings())
    monkeypatch.chdir(three[0])
    chosen = with_running(read_settings(library=Path("../scans")))
    assert (chosen.name, chosen.library) == ("scans", three[1])
    assert find_running(read_settings(library=tmp_path / "none")) is None
    assert next(system.library for system in running_systems(read_settings())) == three[0]
    assert {system.library for system in running_systems(read_settings())} == set(three)


def test_a_photo_that_is_searched_for_may_tell_which_library_is_meant(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (photo := three[2] / "a.jpg").touch()

    assert library_around(Path("scans/old/a.jpg"), read_settings()) == three[2]
    assert library_around(photo, read_settings()) == three[2]
    assert library_around(photo, read_settings(library=three[0])) is None
    assert library_around(three[2] / "no file", read_settings()) is None


def test_a_data_folder_that_is_set_goes_before_all(
    three: list[Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(three[1])

    found = find_running(read_settings(data=home))

    assert found is not None
    assert found.library == three[0]


def test_a_library_of_several_folders_is_meant_in_and_by_each_of_them(
    three: list[Path], tmp_path: Path, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = library(tmp_path, "one"), library(tmp_path, "other")
    data = folder_of(folders[0], read_settings(), folders[1:])
    make_data_folder(data)
    held.enter_context(hold_lock(data.lock))
    root = join(data, folders, only_these=False, rebuild=False).root
    publish(data, running(data, root).model_copy(update={"folders": folders}))
    (photo := folders[1] / "a.jpg").touch()

    monkeypatch.chdir(three[0])
    assert library_around(photo, read_settings()) == root
    for folder in folders:
        chosen = with_running(read_settings(library=folder))
        assert (chosen.library, chosen.name) == (root, root.name)
        monkeypatch.chdir(folder)
        found = find_running(read_settings())
        assert found is not None
        assert found.library == root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match=f"{folders[0]}, {folders[1]}"):
        find_running(read_settings())
    assert CallerPaths(root).relative(photo) == CallerPaths(root).relative("other/a.jpg") == "other/a.jpg"
    assert CallerPaths(root).contains(photo)
    assert not CallerPaths(root).contains(tmp_path)
