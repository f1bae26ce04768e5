"""What a second generation copies from the one before: vectors of the same model, of formats read as they were."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from lookalike.errors import Misconfigured
from lookalike.library.version import FileVersion
from models.contract import ModelCard, read_card
from models.decoding import DECODER_REVISION
from tests.support.tiny_model import COPY_DIMENSION, tiny_model
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.donor import donor_of, no_donor
from worker.index.identity import Identity
from worker.index.payload import INDEXED_FIELDS, ImageMetadata, indexed_payload, rejected_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex

VERSION = FileVersion("v1", 10, 5)
FIRST = Identity("lib", "tiny", "f" * 64, "cosine", "fp32")


@pytest.fixture(autouse=True)
def _one_payload_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {"status": INDEXED_FIELDS["status"]})


@pytest.fixture(scope="module")
def card(model: Path) -> ModelCard:
    return read_card(model)


@pytest.fixture
def first(store: QdrantClient, card: ModelCard) -> Iterator[OpenCollection]:
    yield ensure(store, CollectionSpec("donor", card, "cosine", library_id="lib"))
    for collection in store.get_collections().collections:
        if collection.name.startswith("donor-"):
            store.delete_collection(collection.name)


def second(store: QdrantClient, card: ModelCard, **changes: object) -> OpenCollection:
    fields = {"card": card, "distance": "euclid", "library_id": "lib", "succeeds": "donor", **changes}
    return ensure(store, CollectionSpec("donor-next", **fields))  # type: ignore[arg-type]


def write(store: QdrantClient, into: OpenCollection, path: str, image_format: str, generation: str) -> list[float]:
    chance = np.random.default_rng(len(path))
    vectors = {"embedding": chance.normal(size=24), "copy": chance.normal(size=COPY_DIMENSION)}
    unit = {by: (vector / np.linalg.norm(vector)).tolist() for by, vector in vectors.items()}
    metadata = ImageMetadata("0" * 64, image_format, 4, 3, None)
    payload = indexed_payload(path, VERSION, metadata, "2024-01-01T00:00:00+00:00", generation)
    QdrantIndex(store, into.name, vectors=("embedding", "copy")).write([PointWrite(payload, unit)])  # type: ignore[arg-type]
    found: list[float] = unit["embedding"]
    return found


def test_a_change_of_distance_copies_what_is_of_this_version(
    store: QdrantClient, card: ModelCard, first: OpenCollection
) -> None:
    embedding = write(store, first, "a.png", "PNG", first.identity.generation)
    write(store, first, "changed.png", "PNG", first.identity.generation)
    rejected = rejected_payload("bad.png", VERSION, "it is broken", "2024-01-01T00:00:00+00:00")
    QdrantIndex(store, first.name, vectors=("embedding", "copy")).write([PointWrite(rejected)])
    new = second(store, card)
    donor = donor_of(store, (first.name, first.identity), new.identity)
    assert donor is not None

    found = donor.vectors(
        {"a.png": VERSION, "changed.png": FileVersion("v2", 11, 6), "bad.png": VERSION, "new.png": VERSION}
    )

    assert list(found) == ["a.png"]
    assert np.allclose(found["a.png"].vectors["embedding"], embedding, atol=1e-6)
    assert len(found["a.png"].vectors["copy"]) == COPY_DIMENSION
    assert found["a.png"].metadata.format == "PNG"


def test_only_formats_that_the_decoder_reads_as_before_are_copied(
    store: QdrantClient, card: ModelCard, first: OpenCollection
) -> None:
    before = f"{first.identity.fingerprint[:12]}-{int(DECODER_REVISION) - 1}-cosine"
    write(store, first, "old.png", "PNG", before)
    write(store, first, "old.webp", "WEBP", before)
    write(store, first, "other.webp", "WEBP", f"{'e' * 12}-{DECODER_REVISION}-cosine")
    new = second(store, card)
    donor = donor_of(store, (first.name, first.identity), new.identity)
    assert donor is not None

    found = donor.vectors(dict.fromkeys(["old.png", "old.webp", "other.webp"], VERSION))

    assert list(found) == ["old.webp"]


OTHER_MODEL = Identity("lib", "other", "e" * 64, "cosine", "fp32")
OTHER_PROVIDER = Identity("lib", "tiny", "f" * 64, "cosine", "fp32", "onnxruntime-cuda")


@pytest.mark.parametrize("before", [None, OTHER_MODEL, OTHER_PROVIDER])
def test_vectors_of_another_model_or_provider_are_not_copied(store: QdrantClient, before: Identity | None) -> None:
    assert donor_of(store, None if before is None else ("before", before), FIRST) is None
    assert no_donor({"a.png": VERSION}) == {}


def test_the_second_one_is_a_collection_of_the_first_systems_name_and_leaves_its_alias(
    store: QdrantClient, card: ModelCard, first: OpenCollection, tmp_path: Path
) -> None:
    other = read_card(tiny_model(tmp_path / "other.onnx", seed=1, copies=True))

    found = second(store, other, distance="cosine")

    assert found.name == first.name.replace(card.fingerprint[:12], other.fingerprint[:12])
    aliases = {alias.alias_name: alias.collection_name for alias in store.get_aliases().aliases}
    assert (aliases["donor"], aliases["donor-next"]) == (first.name, found.name)


def test_one_like_that_which_is_searched_is_refused(
    store: QdrantClient, card: ModelCard, first: OpenCollection
) -> None:
    assert first
    with pytest.raises(Misconfigured, match="is of tiny, cosine already"):
        second(store, card, distance="cosine")


def test_one_of_the_same_model_and_a_newer_decoder_gets_another_name(
    store: QdrantClient, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = CollectionSpec("donor", card, "cosine", library_id="lib")
    monkeypatch.setattr("worker.index.collection_spec.DECODER_REVISION", str(int(DECODER_REVISION) - 1))
    old = ensure(store, spec)
    monkeypatch.undo()
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {"status": INDEXED_FIELDS["status"]})

    # It is searched meanwhile: most of its vectors compare.
    assert ensure(store, spec).name == old.name
    found = second(store, card, distance="cosine")

    assert found.name == f"{old.name}-2"
    assert found.identity.decoder == DECODER_REVISION
    for name in (old.name, found.name):
        store.delete_collection(name)
