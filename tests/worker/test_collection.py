"""The collection is made once for one library, model and distance, and refuses every other until told to rebuild."""

from collections.abc import Callable
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from lookalike.errors import CollectionMismatch
from models.contract import ModelCard, read_card
from tests.running.tiny_model import tiny_model
from worker.collection import Identity, concrete_name, ensure

Ensure = Callable[..., tuple[str, Identity, bool]]


@pytest.fixture
def card(model: Path) -> ModelCard:
    return read_card(model)


@pytest.fixture
def made(store: QdrantClient, card: ModelCard) -> str:
    name, _, _ = ensure(store, "photos", card, "cosine", library_id="lib", rebuild=False)
    return name


def test_the_alias_leads_to_a_collection_that_names_model_and_distance(
    store: QdrantClient, card: ModelCard, made: str
) -> None:
    assert made == concrete_name("photos", card, "cosine") == f"photos-{card.fingerprint[:12]}-cosine"
    assert store.collection_exists("photos")
    assert store.get_collection("photos").config.metadata == {
        "library_id": "lib",
        "model": "tiny",
        "fingerprint": card.fingerprint,
        "distance": "cosine",
        "precision": "fp32",
        "backend": "onnxruntime-cpu",
    }


def test_a_second_worker_finds_what_the_first_one_made(store: QdrantClient, card: ModelCard, made: str) -> None:
    name, identity, is_new = ensure(store, "photos", card, "cosine", library_id=None, rebuild=False)

    assert (name, identity.library_id, is_new) == (made, "lib", False)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"distance": "euclid"}, "distance"), ({"library_id": "other"}, "library"), ({"card": None}, "model file")],
)
def test_another_library_model_or_distance_is_refused_with_the_remedy(
    store: QdrantClient, card: ModelCard, made: str, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    assert made
    other = read_card(tiny_model(tmp_path / "other.onnx", seed=1))
    asked = {"card": card, "distance": "cosine", "library_id": "lib"} | change
    asked["card"] = asked["card"] or other

    with pytest.raises(CollectionMismatch, match=f"{named} .* --rebuild"):
        ensure(store, "photos", rebuild=False, **asked)  # type: ignore[arg-type]


def test_rebuild_drops_the_old_index_and_moves_the_alias(store: QdrantClient, card: ModelCard, made: str) -> None:
    name, identity, is_new = ensure(store, "photos", card, "manhattan", library_id="other", rebuild=True)

    assert (name, identity.library_id, is_new) == (concrete_name("photos", card, "manhattan"), "other", True)
    assert not store.collection_exists(made)
    assert store.collection_exists("photos")
    ensure(store, "photos", card, "cosine", library_id="lib", rebuild=True)


def test_a_start_that_was_cut_off_before_the_alias_is_finished_by_the_next(
    store: QdrantClient, card: ModelCard
) -> None:
    if store.init_options["location"] == ":memory:":
        pytest.skip("local mode has no servers and workers that race, nor a server's answer to a conflict")
    identity = Identity("lib", card.name, card.fingerprint, "cosine", card.precision)
    name = concrete_name("cut", card, "cosine")
    vectors = {"image": VectorParams(size=card.dimension, distance=Distance.COSINE)}
    store.create_collection(name, vectors_config=vectors, metadata=identity.metadata())

    found, _, _ = ensure(store, "cut", card, "cosine", library_id="lib", rebuild=False)

    assert found == name
    assert store.collection_exists("cut")
