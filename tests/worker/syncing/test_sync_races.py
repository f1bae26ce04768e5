"""What a sync deletes, what changes under it, and which paths it never follows."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.library.errors import LibraryOffline
from lookalike.library.rules import Candidates
from lookalike.messages import SyncMessage, SyncReply
from lookalike.search.query import By
from tests.support.pictures import draw
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import Embedder
from worker.retry_budget import Retrying, without_retry
from worker.syncing.sync import StillChanging, Sync


class TestDeletingNeedsTwoWitnesses:
    @pytest.fixture(autouse=True)
    def _indexed(self, sync: Sync, root: Path) -> None:
        draw(root / "a.png", 1)
        draw(root / "b.png", 2)
        sync.sync_paths(SyncMessage(paths=["a.png", "b.png"]))

    def test_both_agree(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        (root / "a.png").unlink()

        assert sync.sync_paths(SyncMessage(gone=["a.png"], library="the-library")) == SyncReply(deleted=1)
        assert index.get_files(["a.png", "b.png"]).keys() == {"b.png"}

    def test_what_took_the_name_of_a_file_is_no_file(
        self, sync: Sync, index: QdrantIndex, root: Path, tmp_path: Path
    ) -> None:
        draw(tmp_path / "elsewhere.png", 9)
        (root / "a.png").unlink()
        (root / "a.png").symlink_to(tmp_path / "elsewhere.png")
        (root / "b.png").unlink()
        (root / "b.png").mkdir()

        assert sync.sync_paths(SyncMessage(gone=["a.png", "b.png"], library="the-library")) == SyncReply(deleted=2)
        assert index.count("indexed") == 0

    def test_the_worker_alone_deletes_nothing(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        (root / "a.png").unlink()

        assert sync.sync_paths(SyncMessage(paths=["a.png"], library="the-library")) == SyncReply(absent=1)
        assert index.get_files(["a.png"])

    def test_the_producer_alone_deletes_nothing(self, sync: Sync, index: QdrantIndex) -> None:
        assert sync.sync_paths(SyncMessage(gone=["a.png"], library="the-library")) == SyncReply(unchanged=1)
        assert index.get_files(["a.png"])

    @pytest.mark.parametrize("library", [None, "another"])
    def test_a_producer_of_another_library_is_no_witness(
        self, sync: Sync, index: QdrantIndex, root: Path, library: str | None
    ) -> None:
        (root / "a.png").unlink()

        sync.sync_paths(SyncMessage(gone=["a.png"], library=library))

        assert index.get_files(["a.png"])

    def test_a_library_that_is_missing_deletes_nothing_and_waits(
        self, sync: Sync, index: QdrantIndex, root: Path
    ) -> None:
        root.rename(root.with_name("elsewhere"))

        with pytest.raises(LibraryOffline):
            sync.sync_paths(SyncMessage(gone=["a.png", "b.png"], library="the-library"))
        assert index.count("indexed") == 2

    def test_an_empty_mount_point_deletes_nothing_and_waits(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        root.rename(root.with_name("elsewhere"))
        root.mkdir()

        with pytest.raises(LibraryOffline):
            sync.sync_paths(SyncMessage(gone=["a.png", "b.png"], library="the-library"))
        assert index.count("indexed") == 2

    def test_a_folder_that_somebody_emptied_is_believed(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        (root / "a.png").unlink()
        (root / "b.png").unlink()

        sync.sync_paths(SyncMessage(gone=["a.png", "b.png"], library="the-library"))

        assert index.count("indexed") == 0


class TestLeavingOut:
    """A file that is there is removed by the library's rules if the worker holds the same and finds so itself."""

    RULES = Candidates(("png",), ignore=("out/",))

    def sync_with(self, sync: Sync, rules: Candidates | None) -> Sync:
        return dataclasses.replace(sync, read_rules=lambda: rules)

    def message(self, *paths: str, rules: Candidates = RULES, library: str = "the-library") -> SyncMessage:
        return SyncMessage(left_out=list(paths), rules=rules.digest, library=library)

    def test_the_same_rules_remove_what_they_leave_out_and_nothing_else(
        self, sync: Sync, index: QdrantIndex, root: Path
    ) -> None:
        paths = [draw(root / "out" / "a.png", 1).relative_to(root).as_posix(), draw(root / "b.png", 2).name]
        sync.sync_paths(SyncMessage(paths=paths))

        reply = self.sync_with(sync, self.RULES).sync_paths(self.message("out/a.png", "b.png", "out/unknown.png"))

        assert reply == SyncReply(deleted=1)
        assert set(index.get_files([*paths])) == {"b.png"}

    @pytest.mark.parametrize("held", [None, Candidates(("png",), ignore=("out",))])
    def test_other_rules_or_none_remove_nothing(
        self, sync: Sync, index: QdrantIndex, root: Path, held: Candidates | None
    ) -> None:
        sync.sync_paths(SyncMessage(paths=[draw(root / "out" / "a.png", 1).relative_to(root).as_posix()]))

        assert self.sync_with(sync, held).sync_paths(self.message("out/a.png")) == SyncReply()
        assert set(index.get_files(["out/a.png"])) == {"out/a.png"}

    def test_rules_of_another_library_remove_nothing(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        sync.sync_paths(SyncMessage(paths=[draw(root / "out" / "a.png", 1).relative_to(root).as_posix()]))

        self.sync_with(sync, self.RULES).sync_paths(self.message("out/a.png", library="another"))

        assert set(index.get_files(["out/a.png"])) == {"out/a.png"}


class TestRaces:
    """Something happens to the file while its embedding is computed, as it would with two tasks on one path."""

    @staticmethod
    def interrupted(sync: Sync, embedder: Embedder, *events: Callable[[], object]) -> Sync:
        remaining = list(events)

        class Interrupted:
            def describe(
                self, pictures: Sequence[npt.NDArray[np.uint8]], _before_run: Callable[[], None] = lambda: None
            ) -> Mapping[By, npt.NDArray[np.float32]]:
                vectors = embedder.describe(pictures)
                if remaining:
                    remaining.pop(0)()
                return vectors

        return dataclasses.replace(sync, embedder=Interrupted())

    def test_old_content_written_over_new_heals_at_once(
        self, sync: Sync, embedder: Embedder, index: QdrantIndex, root: Path
    ) -> None:
        draw(root / "a.png", 1)

        def another_task_sees_the_new_content() -> None:
            draw(root / "a.png", 2)
            sync.sync_paths(SyncMessage(paths=["a.png"]))

        slow = self.interrupted(sync, embedder, another_task_sees_the_new_content)
        slow.sync_paths(SyncMessage(paths=["a.png"]))

        draw(root / "new.png", 2)
        sync.sync_paths(SyncMessage(paths=["new.png"]))
        assert index.vector_of("a.png") == pytest.approx(index.vector_of("new.png"))

    def test_a_write_after_a_delete_is_taken_back_at_once(
        self, sync: Sync, embedder: Embedder, index: QdrantIndex, root: Path
    ) -> None:
        draw(root / "a.png", 1)
        draw(root / "stays.png", 2)

        def another_task_deletes() -> None:
            (root / "a.png").unlink()
            sync.sync_paths(SyncMessage(gone=["a.png"], library="the-library"))

        slow = self.interrupted(sync, embedder, another_task_deletes)
        slow.sync_paths(SyncMessage(paths=["a.png"]))

        assert index.get_files(["a.png"]) == {}

    def test_a_file_that_never_rests_goes_back_to_the_queue(self, sync: Sync, embedder: Embedder, root: Path) -> None:
        draw(root / "a.png", 0)
        changes = [lambda seed=seed: draw(root / "a.png", seed) for seed in range(1, 9)]

        with pytest.raises(StillChanging, match=r"a\.png"):
            self.interrupted(sync, embedder, *changes).sync_paths(SyncMessage(paths=["a.png"]))

    def test_a_file_that_returns_while_it_is_deleted_stays(self, sync: Sync, index: QdrantIndex, root: Path) -> None:
        draw(root / "a.png", 1)
        draw(root / "b.png", 2)
        sync.sync_paths(SyncMessage(paths=["a.png", "b.png"]))
        (root / "a.png").unlink()

        class Returning(QdrantIndex):
            def delete(self, paths: Sequence[str], retry_while_unavailable: Retrying = without_retry) -> None:
                super().delete(paths, retry_while_unavailable)
                if paths:
                    draw(root / "a.png", 3)

        returning = dataclasses.replace(sync, index=Returning(index._client, index._collection))  # noqa: SLF001
        reply = returning.sync_paths(SyncMessage(gone=["a.png"], library="the-library"))

        assert (reply.deleted, reply.embedded) == (1, 1)
        assert index.get_files(["a.png"])


class TestPathsStayInside:
    def test_a_link_out_of_the_library_is_not_followed(
        self, sync: Sync, index: QdrantIndex, root: Path, tmp_path: Path
    ) -> None:
        draw(tmp_path / "secret.png", 1)
        draw(root / "a.png", 2)
        (root / "link.png").symlink_to(tmp_path / "secret.png")
        (root / "folder").symlink_to(tmp_path)

        assert sync.sync_paths(SyncMessage(paths=["link.png", "folder/secret.png"])) == SyncReply(absent=2)
        assert index.count("indexed") == 0

    def test_a_link_within_the_library_is_a_file_like_any(self, sync: Sync, root: Path) -> None:
        draw(root / "a.png", 1)
        (root / "link.png").symlink_to(root / "a.png")

        assert sync.sync_paths(SyncMessage(paths=["a.png", "link.png"])) == SyncReply(embedded=1, copied=1)

    def test_a_pipe_is_no_file(self, sync: Sync, root: Path) -> None:
        os.mkfifo(root / "pipe.png")

        assert sync.sync_paths(SyncMessage(paths=["pipe.png"])) == SyncReply(absent=1)
