"""A worker and a library of several folders: what of one is away holds up nothing and is not removed."""

import dataclasses
from pathlib import Path

import pytest

from lookalike.library.errors import LibraryOffline
from lookalike.library.joined.folders import Joined
from lookalike.library.joined.reader import JoinedReader
from lookalike.messages import SyncMessage
from tests.support.pictures import draw
from tests.worker.conftest import MAX_BYTES
from worker.index.qdrant import QdrantIndex
from worker.syncing.sync import Sync


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    folders = {name: tmp_path / name for name in ("photos", "scans")}
    for seed, folder in enumerate(folders.values()):
        draw(folder / "1.png", seed)
    return folders


@pytest.fixture
def sync(sync: Sync, folders: dict[str, Path]) -> Sync:
    return dataclasses.replace(sync, library=JoinedReader(Joined(folders), max_bytes=MAX_BYTES))


def indexed(index: QdrantIndex, *paths: str) -> set[str]:
    return set(index.get_files(paths))


def test_what_of_a_batch_is_away_waits_for_its_return_and_the_rest_is_done(
    sync: Sync, index: QdrantIndex, folders: dict[str, Path]
) -> None:
    paths = ["photos/1.png", "scans/1.png", "scans/2.png"]
    assert sync.sync_paths(SyncMessage(paths=paths[:2])).embedded == 2
    folders["photos"].rename(folders["photos"].with_name("unplugged"))
    draw(folders["scans"] / "2.png", 2)
    (folders["scans"] / "1.png").unlink()

    reply = sync.sync_paths(SyncMessage(paths=paths[2:], gone=paths[:2], library="the-library"))

    assert (reply.embedded, reply.deleted) == (1, 1)
    assert indexed(index, *paths) == {"photos/1.png", "scans/2.png"}


@pytest.fixture
def before(sync: Sync, folders: dict[str, Path]) -> Sync:
    """The same library when its only folder had another name in paths, with its file indexed."""
    library = JoinedReader(Joined({"trip": folders["photos"]}), max_bytes=MAX_BYTES)
    alone = dataclasses.replace(sync, library=library)
    assert alone.sync_paths(SyncMessage(paths=["trip/1.png"])).embedded == 1
    return alone


@pytest.mark.usefixtures("before")
def test_a_path_from_before_the_folders_were_joined_keeps_its_vectors_under_the_new_one(
    sync: Sync, index: QdrantIndex
) -> None:
    reply = sync.sync_paths(SyncMessage(paths=["photos/1.png"], gone=["trip/1.png"], library="the-library"))

    assert (reply.embedded, reply.copied, reply.deleted) == (0, 1, 1)
    assert indexed(index, "photos/1.png", "trip/1.png") == {"photos/1.png"}


@pytest.mark.usefixtures("before")
def test_while_any_folder_is_away_no_such_path_is_removed(
    sync: Sync, index: QdrantIndex, folders: dict[str, Path]
) -> None:
    (folders["scans"] / "1.png").unlink()

    with pytest.raises(LibraryOffline, match="is empty; is its disk mounted"):
        sync.sync_paths(SyncMessage(gone=["trip/1.png"], library="the-library"))
    assert indexed(index, "trip/1.png")
