"""The collection of a model with a copy descriptor has a vector for it, and its identity says so."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from lookalike.errors import CollectionMismatch
from models.contract import ModelCard, read_card
from tests.support.tiny_model import tiny_model
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.payload import INDEXED_FIELDS


@pytest.fixture(autouse=True)
def _one_payload_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a fifth of a second."""
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {"status": INDEXED_FIELDS["status"]})


@pytest.fixture(scope="module")
def card(model: Path) -> ModelCard:
    return read_card(model)


@pytest.fixture
def spec(card: ModelCard) -> CollectionSpec:
    return CollectionSpec("copies", card, "cosine", library_id="lib")


@pytest.fixture
def made(store: QdrantClient, spec: CollectionSpec) -> Iterator[OpenCollection]:
    yield ensure(store, spec)
    for collection in store.get_collections().collections:
        if collection.name.startswith("copies-"):
            store.delete_collection(collection.name)


def test_both_vectors_of_a_point_are_kept_alike(store: QdrantClient, card: ModelCard, made: OpenCollection) -> None:
    vectors = store.get_collection(made.name).config.params.vectors

    assert isinstance(vectors, dict)
    assert {name: (one.size, one.distance) for name, one in vectors.items()} == {
        "image": (card.dimension, Distance.COSINE),
        "copy": (card.copy_dimension, Distance.COSINE),
    }


def test_a_model_without_a_copy_descriptor_makes_a_collection_without_that_vector(
    store: QdrantClient, spec: CollectionSpec, made: OpenCollection, tmp_path: Path
) -> None:
    plain = read_card(tiny_model(tmp_path / "plain.onnx"))

    found = ensure(store, dataclasses.replace(spec, card=plain), rebuild=True)

    assert list(store.get_collection(found.name).config.params.vectors or ()) == ["image"]
    assert (made.identity.vectors, found.identity.vectors) == (("embedding", "copy"), ("embedding",))


def test_an_index_from_before_copies_were_kept_is_refused_with_the_remedy(
    store: QdrantClient, spec: CollectionSpec, made: OpenCollection
) -> None:
    """The same model file made it: its fingerprint and the name of the collection are the same."""
    before = {key: value for key, value in made.identity.metadata().items() if key != "copies"}
    store.delete_collection(made.name)
    store.create_collection(
        made.name, vectors_config={"image": VectorParams(size=24, distance=Distance.COSINE)}, metadata=before
    )

    with pytest.raises(CollectionMismatch, match=r"copy vector 'none' and not '12': .* --rebuild"):
        ensure(store, spec)
    assert ensure(store, spec, rebuild=True).is_new
