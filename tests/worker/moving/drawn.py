"""Rows of an index that were drawn by lot, and stores to put them into."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient

from lookalike.library.version import NO_VERSION, folder_version
from models.contract import ModelCard, read_card
from tests.support.tiny_model import tiny_model
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.identity import Identity
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import dimensions_of
from worker.moving.collections import OwnCollection
from worker.moving.header import Header

WHEN = "2026-11-21T00:00:00+00:00"
# As the index has the name b"odd-\xe9.png".
ODD = "odd-\\xe9.png"


def card(folder: Path, *, seed: int = 0, copies: bool = True) -> ModelCard:
    return read_card(tiny_model(folder / f"tiny-{seed}-{copies}.onnx", seed=seed, copies=copies))


def spec_of(card: ModelCard, system: str) -> CollectionSpec:
    return CollectionSpec(system, card, "cosine", library_id="the-library")


def header_of(card: ModelCard, points: int = 0) -> Header:
    identity = spec_of(card, "moving").identity("the-library")
    return Header.now(identity, "moving-1", dimensions_of(card), points)


def rows(count: int, identity: Identity, card: ModelCard, *, seed: int = 1) -> list[PointWrite]:
    """So many, the first rejected and the second with a name that is not UTF-8."""
    chance = np.random.default_rng(seed)
    rejected = rejected_payload("broken.jpg", NO_VERSION, "it is no picture", WHEN)
    found = [PointWrite(rejected)]
    for number in range(1, count):
        path = ODD if number == 1 else f"folder {number % 7}/päth-{number}.png"
        metadata = ImageMetadata(f"{number:064x}", "PNG", 40, 30, None if number % 2 else WHEN)
        payload = indexed_payload(path, folder_version(number, number, number), metadata, WHEN, identity.generation)
        vectors = {by: unit(chance.normal(size=size)) for by, size in dimensions_of(card).items()}
        found.append(PointWrite(payload, vectors))
    return found


def unit(vector: npt.NDArray[np.float64]) -> list[float]:
    return (vector / np.linalg.norm(vector)).astype(np.float32).tolist()  # type: ignore[no-any-return]


def filled(client: QdrantClient, card: ModelCard, system: str, count: int) -> OwnCollection:
    """An index with so many points."""
    opened = ensure(client, spec_of(card, system))
    index = QdrantIndex(client, opened.name, vectors=opened.identity.vectors)
    assert index.write(rows(count, opened.identity, card)) == []
    return OwnCollection.behind(client, system)


def everything(collection: OwnCollection) -> dict[str, PointWrite]:
    return {row.payload["path"]: row for page in collection.pages() for row in page}


def assert_same(one: dict[str, PointWrite], other: dict[str, PointWrite]) -> None:
    """The same paths, payloads and vectors."""
    assert {path: row.payload for path, row in one.items()} == {path: row.payload for path, row in other.items()}
    for path, row in one.items():
        ours, theirs = row.vectors or {}, other[path].vectors or {}
        assert ours.keys() == theirs.keys()
        for by, vector in ours.items():
            np.testing.assert_allclose(vector, theirs[by], atol=1e-6)
