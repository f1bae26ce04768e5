"""The index agrees with the library after a sync, whatever happened to the files before, meanwhile, or twice."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from lookalike.library.errors import ReadFailed, Rejected
from lookalike.library.reader import Content, LibraryReader
from lookalike.messages import SyncMessage, SyncReply
from tests.support.pictures import draw, encoded, picture
from tests.worker.conftest import Counts
from worker.index.qdrant import QdrantIndex
from worker.syncing.sync import Sync


def test_new_images_are_embedded_and_found(sync: Sync, index: QdrantIndex, root: Path) -> None:
    names = [draw(root / f"{seed}.png", seed).name for seed in range(10)]

    reply = sync.sync_paths(SyncMessage(paths=names))

    assert reply == SyncReply(embedded=10)
    assert {path: file.status for path, file in index.get_files(names).items()} == dict.fromkeys(names, "indexed")


def test_each_point_names_the_generation_that_made_it(
    sync: Sync, store: QdrantClient, collection: str, root: Path
) -> None:
    sync.sync_paths(SyncMessage(paths=[draw(root / "a.png", 1).name]))

    (point,), _ = store.scroll(collection, limit=9)
    assert (point.payload or {})["generation"] == "the-generation"


def test_the_same_message_twice_embeds_once(sync: Sync, root: Path, counts: Counts) -> None:
    draw(root / "a.png", 1)
    sync.sync_paths(SyncMessage(paths=["a.png"]))

    reply = sync.sync_paths(SyncMessage(paths=["a.png"]))

    assert reply == SyncReply(unchanged=1)
    assert (counts.embedded, counts.finished) == (1, 1)


def test_the_same_path_twice_in_one_message_leaves_one_point(sync: Sync, index: QdrantIndex, root: Path) -> None:
    draw(root / "a.png", 1)

    sync.sync_paths(SyncMessage(paths=["a.png", "a.png"], gone=["a.png"]))

    assert index.count("indexed") == 1


def test_a_copy_shares_the_vector(sync: Sync, index: QdrantIndex, root: Path, counts: Counts) -> None:
    draw(root / "a.png", 1)
    sync.sync_paths(SyncMessage(paths=["a.png"]))
    shutil.copyfile(root / "a.png", root / "b.png")

    reply = sync.sync_paths(SyncMessage(paths=["b.png"]))

    assert reply == SyncReply(copied=1)
    assert counts.embedded == 1
    # The local mode normalises the copy again, which may change the last bit.
    assert index.vector_of("b.png") == pytest.approx(index.vector_of("a.png"), abs=1e-7)


def test_copies_in_one_batch_are_embedded_once(sync: Sync, root: Path, counts: Counts) -> None:
    for name in ("a.png", "b.png", "c.png"):
        draw(root / name, 1)

    reply = sync.sync_paths(SyncMessage(paths=["a.png", "b.png", "c.png"]))

    assert reply == SyncReply(embedded=1, copied=2)
    assert counts.embedded == 1


def test_a_move_keeps_the_vector_and_removes_the_old_path(
    sync: Sync, index: QdrantIndex, root: Path, counts: Counts
) -> None:
    draw(root / "old" / "a.png", 1)
    sync.sync_paths(SyncMessage(paths=["old/a.png"]))
    vector = index.vector_of("old/a.png")
    (root / "old").rename(root / "new")

    reply = sync.sync_paths(SyncMessage(paths=["new/a.png"], gone=["old/a.png"], library="the-library"))

    assert reply == SyncReply(copied=1, deleted=1)
    assert counts.embedded == 1
    assert index.vector_of("new/a.png") == vector
    assert index.get_files(["old/a.png"]) == {}


def test_a_touched_file_is_read_again_but_not_embedded(sync: Sync, root: Path, counts: Counts) -> None:
    draw(root / "a.png", 1)
    sync.sync_paths(SyncMessage(paths=["a.png"]))
    os.utime(root / "a.png", (1, 1))

    sync.sync_paths(SyncMessage(paths=["a.png"]))

    assert counts.embedded == 1
    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(unchanged=1)


def test_a_changed_file_gets_a_new_vector(sync: Sync, index: QdrantIndex, root: Path) -> None:
    draw(root / "a.png", 1)
    sync.sync_paths(SyncMessage(paths=["a.png"]))
    before = index.vector_of("a.png")
    draw(root / "a.png", 2)

    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(embedded=1)
    assert index.vector_of("a.png") != before


def test_a_broken_file_is_rejected_with_a_reason_and_the_batch_goes_on(
    sync: Sync, index: QdrantIndex, root: Path
) -> None:
    draw(root / "good.png", 1)
    (root / "bad.png").write_bytes(b"not an image")
    (root / "cut.png").write_bytes(encoded(picture(3))[:200])
    (root / "empty.png").write_bytes(b"")

    reply = sync.sync_paths(SyncMessage(paths=["bad.png", "good.png", "cut.png", "empty.png"]))

    assert reply == SyncReply(embedded=1, rejected=3)
    reasons = {path: file.reason for path, file in index.get_files(["bad.png", "cut.png", "empty.png"]).items()}
    assert reasons == {
        "bad.png": "it is not an image of a known format but text",
        "cut.png": "the file is incomplete: it ends before the image does",
        "empty.png": "the file is empty",
    }


def test_a_rejected_file_is_not_tried_again_until_it_changes_or_is_asked_for(sync: Sync, root: Path) -> None:
    whole = encoded(picture(1))
    (root / "a.png").write_bytes(whole[:200])
    sync.sync_paths(SyncMessage(paths=["a.png"]))

    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(unchanged=1)
    assert sync.sync_paths(SyncMessage(paths=["a.png"], retry_rejected=True)) == SyncReply(rejected=1)
    (root / "a.png").write_bytes(whole)
    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(embedded=1)


def test_a_file_above_the_byte_limit_is_rejected_unread(sync: Sync, index: QdrantIndex, root: Path) -> None:
    with (root / "huge.png").open("wb") as file:
        file.truncate(2_000_000)

    assert sync.sync_paths(SyncMessage(paths=["huge.png"])) == SyncReply(rejected=1)
    assert "LOOKALIKE_MAX_IMAGE_BYTES" in str(index.get_files(["huge.png"])["huge.png"].reason)


def test_a_name_that_is_not_utf8_is_rejected_by_its_shown_name(sync: Sync, index: QdrantIndex, root: Path) -> None:
    draw(root / os.fsdecode(b"caf\xe9.png"), 1)

    assert sync.sync_paths(SyncMessage(paths=[r"caf\xe9.png"])) == SyncReply(rejected=1)
    assert "UTF-8" in str(index.get_files([r"caf\xe9.png"])[r"caf\xe9.png"].reason)
    assert sync.sync_paths(SyncMessage(paths=[r"caf\xe9.png"])) == SyncReply(unchanged=1)


@pytest.mark.parametrize("again", [False, True])
def test_where_the_disk_fails_over_one_file_the_others_are_indexed_and_it_is_when_it_can_be_read(
    sync: Sync, index: QdrantIndex, root: Path, *, again: bool
) -> None:
    """The error is real: of one's own memory the kernel says so (proc(5))."""
    names = [draw(root / f"{seed}.png", seed).name for seed in range(4)]

    class Failing(LibraryReader):
        def read(self, path: str) -> Content | None:
            return LibraryReader(Path("/proc/self"), max_bytes=1).read("mem") if path == "2.png" else super().read(path)

    failing = dataclasses.replace(sync, library=Failing(root, max_bytes=10**6))
    with pytest.raises(ReadFailed) as caught:
        failing.sync_paths(SyncMessage(paths=names))
    assert index.get_files(names).keys() == set(names) - {"2.png"}
    assert list(caught.value.reasons.values()) == ["the disk cannot read it (Input/output error)"]

    if again:
        sync.reject_paths({"2.png": Rejected("the disk cannot read it", may_pass=True)})
        assert index.get_files(["2.png"])["2.png"].reason == "the disk cannot read it"
    assert sync.sync_paths(SyncMessage(paths=names)) == SyncReply(embedded=1, unchanged=3)


def test_content_that_changed_behind_its_size_and_mtime_is_seen(sync: Sync, index: QdrantIndex, root: Path) -> None:
    """As `cp -p`, `touch -r` and renames over a file leave it; both pictures have the same size."""
    one, other = (encoded(picture(seed), "BMP") for seed in (1, 2))
    path = root / "a.bmp"
    path.write_bytes(one)
    os.utime(path, (1, 1))
    sync.sync_paths(SyncMessage(paths=["a.bmp"]))
    before = index.vector_of("a.bmp")

    path.write_bytes(other)
    os.utime(path, (1, 1))

    assert sync.sync_paths(SyncMessage(paths=["a.bmp"])) == SyncReply(embedded=1)
    assert index.vector_of("a.bmp") != before


def test_another_permission_costs_a_look_and_no_inference(sync: Sync, root: Path, counts: Counts) -> None:
    (root / "bad.png").write_bytes(b"not an image")
    sync.sync_paths(SyncMessage(paths=[draw(root / "a.png", 1).name, "bad.png"]))

    (root / "a.png").chmod(0o600)
    (root / "bad.png").chmod(0o600)

    assert sync.sync_paths(SyncMessage(paths=["a.png", "bad.png"])) == SyncReply(copied=1, rejected=1)
    assert sync.sync_paths(SyncMessage(paths=["a.png", "bad.png"])) == SyncReply(unchanged=2)
    assert counts.embedded == 1


def test_a_rejected_file_that_is_replaced_by_one_of_its_size_and_mtime_is_indexed(sync: Sync, root: Path) -> None:
    """A photo that rotted and is put back from a backup with `cp -p`."""
    good = encoded(picture(1))
    for blob in (bytes(len(good)), good):
        (root / "new").write_bytes(blob)
        os.utime(root / "new", (10**9, 10**9))
        (root / "new").rename(root / "a.png")
        outcome = sync.sync_paths(SyncMessage(paths=["a.png"]))

    assert outcome == SyncReply(embedded=1)


def test_what_killed_its_process_is_not_opened_again_for_another_permission(
    sync: Sync, index: QdrantIndex, root: Path
) -> None:
    path = draw(root / "a.png", 1)
    sync.reject_paths({"a.png": Rejected("it killed its process", is_poison=True)})
    path.chmod(0o600)

    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(unchanged=1)
    os.utime(path, (10**9, 10**9))
    assert sync.sync_paths(SyncMessage(paths=["a.png"])) == SyncReply(embedded=1)
    assert index.get_files(["a.png"])["a.png"].status == "indexed"
