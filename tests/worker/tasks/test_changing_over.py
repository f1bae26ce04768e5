"""A search is answered in the generation that is searched when it begins; a worker changes over without a pause."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from lookalike.broker.generations import Generation, GenerationState
from lookalike.settings import read_settings
from models.contract import read_card
from tests.support.pictures import encoded, picture
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import System
from worker.connecting import qdrant_of
from worker.index.collection import create_collection
from worker.index.collection_spec import CollectionSpec

PATIENCE_S = 30.0


@pytest.fixture
def state(system: System) -> Iterator[GenerationState]:
    system.client.sync([system.path(3)]).result(timeout_s=PATIENCE_S)
    state = GenerationState(system.redis, system.settings.keys)
    yield state
    state.forget()
    assert generation(system).startswith(read_card(Path(system.settings.model)).fingerprint[:12])


@pytest.fixture
def store(system: System) -> Iterator[QdrantClient]:
    with closing(qdrant_of(read_settings(qdrant_url=system.environment["QDRANT_URL"]))) as client:
        yield client


def generation(system: System) -> str:
    """That of the best neighbour; empty if there is none."""
    found = system.client.search(encoded(picture(3)), 1).result(timeout_s=PATIENCE_S)
    return str(found[0].payload["generation"]) if found else ""


def test_what_was_announced_is_loaded_and_searched_from_the_next_search_on(
    system: System, state: GenerationState, store: QdrantClient, tmp_path: Path
) -> None:
    model = tiny_model(tmp_path / "new.onnx", seed=1, copies=True)
    spec = CollectionSpec("lookalike", read_card(model), "euclid", library_id="the-library")
    name = spec.name("the-library")
    create_collection(store, name, spec.identity("the-library"), spec)
    new = Generation(str(model), "euclid", name)
    assert generation(system)

    state.announce(new)
    wait_until(lambda: state.count_ready() == 1, PATIENCE_S)
    assert generation(system)
    state.serve(new)

    # It is empty: what the former one has is not found any more.
    assert generation(system) == ""
    assert [*system.client.list()] == []
    store.delete_collection(name)


def test_one_that_cannot_be_loaded_leaves_the_searches_where_they_are(system: System, state: GenerationState) -> None:
    state.serve(Generation("/nowhere/model.onnx", "cosine", "nothing"))

    assert generation(system)

    assert "the generation that is searched now cannot be loaded" in system.worker.said()
