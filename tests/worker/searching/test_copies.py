"""Both vectors of a point, and the search by copy, on both stores; the vectors are those of a real model."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient

from lookalike.library.reader import LibraryReader
from lookalike.messages import SearchManyMessage, SearchMessage, SearchReply, SyncMessage, SyncReply
from lookalike.search.query import By
from lookalike.settings import Distance
from tests.support.pictures import draw
from tests.support.tiny_model import COPY_DIMENSION, tiny_model
from tests.worker.conftest import MAX_BYTES, MAX_PIXELS
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import point_id
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image
from worker.inference.embedder import Embedder
from worker.searching.example_vectors import Decodes
from worker.searching.search import Bounds, Search
from worker.syncing.sync import Sync

KEY = "00000000-0000-4000-8000-000000000000"
NAMES = [f"{seed}.png" for seed in range(8)]


@pytest.fixture
def uploads() -> dict[str, bytes]:
    return {}


@pytest.fixture
def search(index: QdrantIndex, embedder: Embedder, opened: Decodes, root: Path, uploads: dict[str, bytes]) -> Search:
    reader = LibraryReader(root, max_bytes=MAX_BYTES)
    return Search(index, embedder, opened, uploads.get, "cosine", embedder.dimensions, Bounds(), reader.read)


@pytest.fixture
def described(embedder: Embedder, root: Path) -> Mapping[By, Any]:
    """What the model says of the pictures that are drawn here, float32 [n, D] each."""
    blobs = [draw(root / name, seed).read_bytes() for seed, name in enumerate(NAMES)]
    return embedder.describe([decode_image(blob, embedder.card, max_pixels=MAX_PIXELS).pixels for blob in blobs])


def ask(search: Search, image: Mapping[str, str], **fields: Any) -> SearchReply:
    message = SearchMessage.model_validate({"examples": [{"image": image}], "limit": 50, **fields})
    return search.find_neighbours(message)


def stored(store: QdrantClient, collection: str, path: str) -> dict[str, list[float]]:
    (record,) = store.retrieve(collection, [point_id(path)], with_vectors=True)
    assert isinstance(record.vector, dict)
    return record.vector  # type: ignore[return-value]


def test_each_image_has_both_vectors_and_a_rejected_file_none(
    sync: Sync, root: Path, store: QdrantClient, collection: str, described: Mapping[By, Any]
) -> None:
    (root / "bad.png").write_bytes(b"nothing")

    sync.sync_paths(SyncMessage(paths=[*NAMES, "bad.png"]))

    for row, name in enumerate(NAMES):
        vectors = stored(store, collection, name)
        assert set(vectors) == {"image", "copy"}
        assert vectors["image"] == pytest.approx(described["embedding"][row], abs=1e-5)
        assert vectors["copy"] == pytest.approx(described["copy"][row], abs=1e-5)
    assert stored(store, collection, "bad.png") == {}


def test_a_copy_of_a_file_gets_both_vectors_without_the_model(
    sync: Sync, root: Path, store: QdrantClient, collection: str, described: Mapping[By, Any]
) -> None:
    sync.sync_paths(SyncMessage(paths=NAMES))
    (root / "again.png").write_bytes((root / NAMES[3]).read_bytes())

    assert sync.sync_paths(SyncMessage(paths=["again.png"])) == SyncReply(copied=1)
    assert stored(store, collection, "again.png") == stored(store, collection, NAMES[3])
    assert len(described["copy"]) == len(NAMES)


@pytest.mark.usefixtures("described")
def test_a_point_that_lacks_a_vector_lends_none(
    sync: Sync, root: Path, index: QdrantIndex, store: QdrantClient, collection: str
) -> None:
    whole = QdrantIndex(store, collection)
    dataclasses.replace(sync, index=whole).sync_paths(SyncMessage(paths=NAMES[:1]))
    (root / "again.png").write_bytes((root / NAMES[0]).read_bytes())

    assert sync.sync_paths(SyncMessage(paths=["again.png"])) == SyncReply(embedded=1)
    assert index.vector_of("again.png", "copy") is not None


@pytest.mark.parametrize("distance", ["cosine", "dot", "euclid", "manhattan"])
def test_a_search_by_copy_equals_numpy_in_every_metric(
    store: QdrantClient, sync: Sync, search: Search, distance: Distance, embedder: Embedder,
    described: Mapping[By, Any], uploads: dict[str, bytes], root: Path,
) -> None:  # fmt: skip
    spec = CollectionSpec(f"copies-{distance}", embedder.card, distance, library_id="l")
    index = QdrantIndex(store, ensure(store, spec, rebuild=True).name, vectors=("embedding", "copy"))
    dataclasses.replace(sync, index=index).sync_paths(SyncMessage(paths=NAMES))
    uploads[KEY] = (root / NAMES[2]).read_bytes()
    search = dataclasses.replace(search, index=index, distance=distance)

    for by in ("embedding", "copy"):
        rows = described[by]
        apart = {"euclid": np.linalg.norm(rows - rows[2], axis=1), "manhattan": np.abs(rows - rows[2]).sum(axis=1)}
        wanted = dict(zip(NAMES, apart.get(distance, rows @ rows[2]), strict=True))
        for image in ({"path": NAMES[2]}, {"key": KEY}):
            reply = ask(search, image, by=by)
            assert {found.path: found.score for found in reply.neighbours} == pytest.approx(wanted, abs=1e-3)
            assert reply.neighbours[0].path == NAMES[2]
            assert reply.neighbours[0].similarity == pytest.approx(1, abs=1e-3)
            assert reply.note is None


def test_queries_of_one_message_may_ask_for_different_vectors(
    sync: Sync, search: Search, described: Mapping[By, Any], uploads: dict[str, bytes], root: Path
) -> None:
    sync.sync_paths(SyncMessage(paths=NAMES))
    uploads[KEY] = (root / NAMES[1]).read_bytes()
    images: list[dict[str, Any]] = [{"path": NAMES[1]}, {"key": KEY}, {"vector": described["copy"][1].tolist()}]
    queries = [
        {"examples": [{"image": image}], "by": by, "min_similarity": 0.5}
        for image in images
        for by in ("embedding", "copy")
    ]

    *replies, wrong, right = search.find_many(SearchManyMessage.model_validate({"queries": queries})).replies

    for reply, query in zip(replies, queries, strict=False):
        rows = described[query["by"]]  # type: ignore[index]
        wanted = {name: float(score) for name, score in zip(NAMES, rows @ rows[1], strict=True) if score >= 0.5}
        assert {found.path: found.score for found in reply.neighbours} == pytest.approx(wanted, abs=1e-3)
    assert "has 12 numbers, and those of the index have 24" in str(wrong.error)
    assert right.neighbours[0].path == NAMES[1]


class TestWithoutACopyDescriptor:
    @pytest.fixture
    def plain(self, tmp_path: Path) -> Embedder:
        return Embedder(tiny_model(tmp_path / "plain.onnx"), inference_batch=4)

    @pytest.fixture
    def indexed(self, store: QdrantClient, plain: Embedder, sync: Sync, root: Path) -> Iterator[QdrantIndex]:
        spec = CollectionSpec("plain", plain.card, "cosine", library_id="the-library")
        made = ensure(store, spec, rebuild=True)
        index = QdrantIndex(store, made.name, vectors=made.identity.vectors)
        for seed, name in enumerate(NAMES):
            draw(root / name, seed)
        dataclasses.replace(sync, index=index, embedder=plain).sync_paths(SyncMessage(paths=NAMES))
        yield index
        store.delete_collection(made.name)

    def test_the_embedding_is_asked_and_one_sentence_says_so(
        self, search: Search, plain: Embedder, indexed: QdrantIndex, uploads: dict[str, bytes], root: Path
    ) -> None:
        search = dataclasses.replace(search, index=indexed, embedder=plain)
        uploads[KEY] = (root / NAMES[5]).read_bytes()

        for image in ({"path": NAMES[5]}, {"key": KEY}):
            by_copy, by_embedding = ask(search, image, by="copy"), ask(search, image)
            assert [found.path for found in by_copy.neighbours] == [found.path for found in by_embedding.neighbours]
            assert "has no vector for copies, so the embedding was asked" in str(by_copy.note)
            assert by_embedding.note is None

    def test_a_batch_of_nothing_has_every_output(self, plain: Embedder, embedder: Embedder) -> None:
        assert {by: rows.shape for by, rows in plain.describe([]).items()} == {"embedding": (0, 24)}
        assert embedder.describe([])["copy"].shape == (0, COPY_DIMENSION)
