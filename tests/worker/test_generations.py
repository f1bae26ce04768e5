"""Switching, cancelling and dropping at the store: each step can be repeated, and drops what is ours alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from redis import Redis

from lookalike.broker.generations import Generation
from lookalike.errors import Refused
from lookalike.settings import Settings, read_settings
from models.contract import ModelCard, read_card
from tests.support.edge import EdgeProcess, client_of, edge_process
from tests.support.tiny_model import tiny_model
from worker.generations import SWITCHED, Generations, generations_of
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.payload import INDEXED_FIELDS
from worker.prepare import forget_generations, restore_generations

DEEDS = ("update_collection_aliases", "delete_collection")


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """An object whose process ends before its n-th change."""

    def __init__(self, inner: Any, deeds: tuple[str, ...], left: list[int]) -> None:
        self._inner, self._deeds, self._left = inner, deeds, left

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name in self._deeds:
            self._left[0] -= 1
            if self._left[0] < 0:
                raise Killed
        return call


@pytest.fixture(autouse=True)
def _one_payload_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {"status": INDEXED_FIELDS["status"]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge:
        yield edge


@pytest.fixture
def settings(server: EdgeProcess, url: str, model: Path) -> Settings:
    return read_settings(redis_url=url, qdrant_url=server.url, model=str(model), name="gen", library_id="lib")


@pytest.fixture
def client(server: EdgeProcess) -> Iterator[QdrantClient]:
    with client_of(server) as client:
        yield client
        for collection in client.get_collections().collections:
            client.delete_collection(collection.name)


@pytest.fixture
def generations(settings: Settings, client: QdrantClient, url: str) -> Generations:
    with Redis.from_url(url) as redis:
        redis.flushall()
    assert client
    return generations_of(settings)


@pytest.fixture
def first(client: QdrantClient, model: Path) -> OpenCollection:
    return ensure(client, CollectionSpec("gen", read_card(model), "cosine", library_id="lib"))


def fill(client: QdrantClient, generations: Generations, card: ModelCard, distance: Any = "euclid") -> OpenCollection:
    """Makes a second generation, as a reindex that is complete has it."""
    made = ensure(client, CollectionSpec("gen-next", card, distance, library_id="lib", succeeds="gen"))
    generations.state.ask(generations.settings.model, distance, hold=False)
    generations.state.update(collection=made.name, state="switching")
    return made


def aliases(client: QdrantClient) -> dict[str, str]:
    return {alias.alias_name: alias.collection_name for alias in client.get_aliases().aliases}


def names(client: QdrantClient) -> set[str]:
    return {collection.name for collection in client.get_collections().collections}


def test_a_switch_leads_alias_and_broker_to_the_second_one_and_keeps_the_first(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path
) -> None:
    made = fill(client, generations, read_card(model))

    assert generations.switch() == made.name

    served, kept = generations.state.served(), generations.state.kept()
    assert aliases(client) == {"gen": made.name}
    assert served == Generation(str(model), "euclid", made.name)
    assert kept is not None
    assert (kept.collection, kept.distance) == (first.name, "cosine")
    assert generations.index_state.read().why == SWITCHED


@pytest.mark.parametrize("deeds", range(4))
def test_a_switch_that_was_cut_off_is_finished_by_the_next_start(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path, deeds: int
) -> None:
    made, left = fill(client, generations, read_card(model)), [deeds]
    dying = Generations(
        generations.settings,
        Dying(generations.client, DEEDS, left),  # type: ignore[arg-type]
        Dying(generations.state, ("keep", "serve"), left),  # type: ignore[arg-type]
        generations.index_state,
        lambda: 0,
    )
    with pytest.raises(Killed):
        dying.switch()

    restore_generations(generations.settings)

    served, kept = generations.state.served(), generations.state.kept()
    assert aliases(client) == {"gen": made.name}
    assert served is not None
    assert kept is not None
    assert (served.collection, kept.collection) == (made.name, first.name)
    assert names(client) == {made.name, first.name}


def test_one_generation_is_kept_at_most(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path, tmp_path: Path
) -> None:
    second = fill(client, generations, read_card(model))
    generations.switch()
    third = fill(client, generations, read_card(tiny_model(tmp_path / "o.onnx", seed=1, copies=True)), "dot")
    generations.switch()
    assert names(client) == {second.name, third.name}

    assert generations.drop() == second.name

    assert names(client) == {third.name}
    assert generations.state.kept() is None
    with pytest.raises(Refused, match="No index from before"):
        generations.drop()
    assert first.name not in names(client)


def test_cancelling_drops_the_second_one_and_spares_that_which_is_kept(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path
) -> None:
    second = fill(client, generations, read_card(model))
    assert generations.cancel() == second.name
    assert (names(client), aliases(client)) == ({first.name}, {"gen": first.name})
    assert generations.cancel() == ""

    second = fill(client, generations, read_card(model))
    generations.switch()
    # Switched back, and cancelled on the way.
    assert fill(client, generations, read_card(model), "cosine").name == first.name
    assert generations.cancel() == ""
    assert (names(client), aliases(client)) == ({first.name, second.name}, {"gen": second.name})


def test_what_is_searched_or_of_another_library_is_never_dropped(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path
) -> None:
    other = ensure(client, CollectionSpec("elsewhere", read_card(model), "cosine", library_id="other"))
    for name in (first.name, other.name, "missing"):
        generations.state.keep(Generation("m", "cosine", name))
        generations.drop()

    assert names(client) == {first.name, other.name}


def test_without_a_second_generation_nothing_is_switched(generations: Generations) -> None:
    with pytest.raises(Refused, match="no second generation"):
        generations.switch()


def test_after_a_rebuild_the_settings_name_the_model_again(
    client: QdrantClient, generations: Generations, first: OpenCollection, model: Path
) -> None:
    second = fill(client, generations, read_card(model))
    generations.switch()
    rebuilt = ensure(client, CollectionSpec("gen", read_card(model), "dot", library_id="lib"), rebuild=True)

    forget_generations(generations.settings)

    assert names(client) == {rebuilt.name}
    assert first.name != second.name
    assert (generations.state.served(), generations.state.kept(), generations.state.read()) == (None, None, None)
