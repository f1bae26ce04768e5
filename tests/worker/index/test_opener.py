"""The index is opened as it stands; one that was lost is made by one worker, and the producer is told."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import DeleteAlias, DeleteAliasOperation
from redis import Redis

from lookalike.broker.index_state import IndexReport, IndexState
from lookalike.errors import CollectionMismatch
from lookalike.library.errors import Unavailable
from lookalike.redis_keys import Keys
from models.contract import ModelCard, read_card
from tests.support.edge import EdgeProcess, client_of, edge_process
from tests.support.valkey import valkey_process
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.monitor import IndexMonitor
from worker.index.opener import IndexOpener
from worker.index.payload import INDEXED_FIELDS

KEYS = Keys("open")
NewOpener = Callable[..., IndexOpener]


@pytest.fixture(autouse=True)
def _few_payload_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a fifth of a second; that all are made is shown in test_contract.py."""
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {"sha256": INDEXED_FIELDS["sha256"]})


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with valkey_process(tmp_path_factory.mktemp("valkey")) as url, Redis.from_url(url) as client:
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge:
        yield edge


@pytest.fixture
def client(server: EdgeProcess, redis: Redis) -> Iterator[QdrantClient]:
    redis.flushall()
    with client_of(server) as client:
        for collection in client.get_collections().collections:
            client.delete_collection(collection.name)
        yield client


@pytest.fixture
def card(model: Path) -> ModelCard:
    return read_card(model)


@pytest.fixture
def opener(client: QdrantClient, redis: Redis, card: ModelCard) -> NewOpener:
    def new(**changes: Any) -> IndexOpener:
        return IndexOpener(client, redis, KEYS, CollectionSpec("open", card, **{"distance": "cosine", **changes}))

    return new


@pytest.fixture
def notes(redis: Redis) -> IndexState:
    return IndexState(redis, KEYS)


def collections(client: QdrantClient) -> list[str]:
    return [collection.name for collection in client.get_collections().collections]


def test_one_of_many_makes_it_and_all_have_the_same(opener: NewOpener, client: QdrantClient) -> None:
    """Nobody has told an id, and each would make up another one."""
    openers = [opener() for _ in range(6)]
    found: list[OpenCollection] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one.open())) for one in openers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({(standing.name, standing.identity) for standing in found}) == 1
    assert [standing.is_new for standing in found].count(True) == 1
    assert collections(client) == [found[0].name]


def test_the_first_index_is_not_one_that_was_lost(opener: NewOpener, notes: IndexState) -> None:
    opener().open()

    assert not notes.read().is_recreated


@pytest.mark.parametrize("lost", ["collection", "broker too"])
def test_one_that_was_lost_is_made_anew_for_the_same_library_and_told(
    opener: NewOpener, client: QdrantClient, redis: Redis, notes: IndexState, lost: str
) -> None:
    worker = opener()
    first = worker.open()
    epoch = notes.read().epoch
    client.delete_collection(first.name)
    if lost == "broker too":
        redis.flushall()

    again = worker.open()

    assert (again.name, again.identity, again.is_new) == (first.name, first.identity, True)
    note = notes.read()
    assert (note.epoch != epoch, note.is_recreated) == (True, True)


def test_a_worker_that_starts_then_makes_it_for_the_library_that_the_broker_knows(
    opener: NewOpener, client: QdrantClient
) -> None:
    first = opener().open()
    client.delete_collection(first.name)

    assert opener().open().identity == first.identity


def test_an_alias_that_was_lost_leads_to_the_same_collection_again(
    opener: NewOpener, client: QdrantClient, notes: IndexState
) -> None:
    first, epoch = opener().open(), notes.read().epoch
    gone = DeleteAliasOperation(delete_alias=DeleteAlias(alias_name="open"))
    client.update_collection_aliases(change_aliases_operations=[gone])

    again = opener().open()

    assert again == OpenCollection(first.name, first.identity, is_new=False)
    assert client.get_collection("open").config.metadata == first.identity.metadata()
    assert notes.read().epoch == epoch


def test_an_index_that_belongs_to_another_library_by_now_is_noticed(opener: NewOpener, client: QdrantClient) -> None:
    worker = opener()
    client.delete_collection(worker.open().name)
    opener(library_id="other").open()

    with pytest.raises(CollectionMismatch, match="set another LOOKALIKE_NAME"):
        worker.open()


def test_a_lock_that_was_left_behind_keeps_nobody_out_for_long(
    opener: NewOpener, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.broker.index_state.CREATING_S", 0.3)
    redis.set("open:index:making", "of one that died", px=600)

    with pytest.raises(Unavailable, match="another process is making the index"):
        opener().open()
    for _ in range(3):
        try:
            standing = opener().open()
        except Unavailable:
            continue
        break

    assert standing.is_new


def test_a_rebuild_counts_as_no_loss(opener: NewOpener, notes: IndexState) -> None:
    first = opener(library_id="lib").open()
    epoch = notes.read().epoch

    again = opener(library_id="lib").open(rebuild=True)

    assert (again.is_new, again.name) == (True, first.name)
    note = notes.read()
    assert (note.epoch != epoch, note.is_recreated) == (True, False)


def test_whoever_looks_makes_what_was_lost_and_says_what_is_in_the_way(
    opener: NewOpener, client: QdrantClient, notes: IndexState
) -> None:
    ours = opener(library_id="lib")
    index_monitor = IndexMonitor(lambda: ours)
    index_monitor.check_index()
    (name,) = collections(client)
    client.delete_collection(name)
    index_monitor.check_index()
    assert collections(client) == [name]
    assert notes.read().is_recreated

    client.delete_collection(name)
    opener(library_id="other").open()
    index_monitor.check_index()

    assert "set another LOOKALIKE_NAME" in notes.read().trouble
    (other,) = collections(client)
    client.delete_collection(other)
    index_monitor.check_index()
    assert notes.read().trouble == ""


def test_a_store_that_was_away_may_be_an_older_one(
    redis: Redis, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.index.monitor.NOTABLE_S", 0.0)
    redis.flushall()
    notes = IndexState(redis, KEYS)
    with edge_process(tmp_path / "store") as first:
        port = int(first.url.rpartition(":")[2])
        with client_of(first) as client:
            ours = IndexOpener(client, redis, KEYS, CollectionSpec("open", card, "cosine"))
            index_monitor = IndexMonitor(lambda: ours)
            index_monitor.check_index()
            before = notes.read()
            first.stop()
            index_monitor.check_index()
            index_monitor.check_index()
            assert notes.read() == before
            with edge_process(tmp_path / "store", port):
                index_monitor.check_index()
                after = notes.read()
                assert after == IndexReport(epoch=after.epoch, why="the store was away")
                assert after.epoch != before.epoch
                index_monitor.check_index()
                assert notes.read() == after


def test_a_store_that_was_away_and_came_back_empty_has_lost_the_index(
    redis: Redis, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.index.monitor.NOTABLE_S", 0.0)
    redis.flushall()
    with edge_process(tmp_path / "store") as first, client_of(first) as client:
        ours = IndexOpener(client, redis, KEYS, CollectionSpec("open", card, "cosine"))
        index_monitor = IndexMonitor(lambda: ours)
        index_monitor.check_index()
        first.stop()
        index_monitor.check_index()
        with edge_process(tmp_path / "empty", int(first.url.rpartition(":")[2])):
            index_monitor.check_index()

            assert IndexState(redis, KEYS).read().is_recreated
            assert client.collection_exists("open")


def test_they_take_turns(notes: IndexState) -> None:
    assert [notes.acquire_turn(60.0), notes.acquire_turn(60.0)] == [True, False]
