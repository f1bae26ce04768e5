"""A worker whose index is gone, or is another library's by now: it makes it anew, or writes nothing and waits."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import CreateAlias, CreateAliasOperation
from redis import Redis

from lookalike import Client, CollectionMismatch, TimedOut
from lookalike.broker.index_state import IndexState
from lookalike.messages import SyncReply
from lookalike.settings import read_settings
from models.contract import ModelCard, read_card
from tests.support.edge import client_of, edge_process
from tests.support.pictures import draw
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec

# A worker looks every five seconds; one that is late shall not fail a test.
WITHIN_S = 40.0


@dataclass
class System:
    """A worker that nobody told whose index it is, as in containers."""

    root: Path
    client: Client
    store: QdrantClient
    worker: WorkerProcess
    notes: IndexState
    card: ModelCard
    log_begins: int = 0

    def draw(self, seed: int) -> str:
        return draw(self.root / f"{seed}.png", seed).name

    def collections(self) -> list[str]:
        return [found.name for found in self.store.get_collections().collections]

    def take_name(self) -> str:
        """Somebody leads the alias to the index of another library, whose name this is."""
        other = ensure(self.store, CollectionSpec("elsewhere", self.card, "cosine", library_id="other")).name
        lead(self.store, "lookalike", other)
        self.log_begins = len(self.worker.said())
        return other

    @property
    def says_why_it_waits(self) -> bool:
        said = self.worker.said()[self.log_begins :]
        return any("waiting" in line and "set another LOOKALIKE_NAME" in line for line in said.splitlines())

    def library_of(self, name: str) -> str:
        return str((self.store.get_collection(name).config.metadata or {})["library_id"])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    (folder / "library").mkdir()
    with valkey_process(folder) as redis_url, edge_process(folder / "store") as edge, client_of(edge) as store:
        settings = read_settings(redis_url=redis_url, library=folder / "library", model=str(model))
        environment = worker_environment(
            REDIS_URL=redis_url, QDRANT_URL=edge.url, LOOKALIKE_LIBRARY=folder / "library", LOOKALIKE_MODEL=model
        )
        queues = "lookalike:ingest,lookalike:rescan,lookalike:search"
        with (
            worker_process(folder / "worker.log", environment, queues=queues, name="search") as worker,
            Redis.from_url(redis_url) as redis,
        ):
            yield System(
                folder / "library",
                Client(settings),
                store,
                worker,
                IndexState(redis, settings.keys),
                read_card(model),
            )


def test_a_sync_that_finds_no_collection_makes_it_for_the_same_library(system: System) -> None:
    assert system.client.sync([system.draw(1)]).result(timeout_s=WITHIN_S) == SyncReply(embedded=1)
    library = system.library_of("lookalike")
    (collection,) = system.store.get_collections().collections
    system.store.delete_collection(collection.name)

    assert system.client.sync(["1.png"]).result(timeout_s=WITHIN_S) == SyncReply(embedded=1)

    assert system.library_of("lookalike") == library
    assert system.client.search("1.png", 1).result(timeout_s=WITHIN_S)[0].path == "1.png"


def test_a_worker_writes_nothing_to_an_index_that_is_another_librarys_by_now(system: System) -> None:
    system.client.sync([system.draw(2)]).result(timeout_s=WITHIN_S)
    (mine,) = system.collections()
    theirs = system.take_name()
    system.store.delete_collection(mine)

    wait_until(lambda: "set another LOOKALIKE_NAME" in system.notes.read().trouble, WITHIN_S)
    # A worker says that it is alive every few seconds.
    wait_until(lambda: system.client.status().parts["search"] == "up", WITHIN_S)
    with pytest.raises(CollectionMismatch, match="set another LOOKALIKE_NAME"):
        next(system.client.list())
    status = system.client.status()
    assert (status.parts["store"], status.indexed) == ("up", None)
    assert "set another LOOKALIKE_NAME" in str(status.warning)
    job = system.client.sync([system.draw(3)])
    wait_until(lambda: system.says_why_it_waits, WITHIN_S)

    assert system.collections() == [theirs]
    assert system.store.count(theirs).count == 0
    # Its message waits until somebody has made room.
    system.store.delete_collection(theirs)
    assert job.result(timeout_s=WITHIN_S) == SyncReply(embedded=1)
    assert system.collections() == [mine]


def test_a_worker_notices_an_alias_that_leads_elsewhere_while_its_collection_is_there(system: System) -> None:
    system.client.sync([system.draw(4)]).result(timeout_s=WITHIN_S)
    (mine,) = system.collections()
    theirs = system.take_name()
    jobs = []

    def waits() -> bool:
        """It looks every few seconds; until then it goes on with what is its own."""
        jobs.append(system.client.sync(["4.png"]))
        with suppress(TimedOut):
            jobs[-1].result(timeout_s=1)
        return system.says_why_it_waits

    wait_until(waits, WITHIN_S)

    assert system.store.count(theirs).count == 0
    lead(system.store, "lookalike", mine)
    assert jobs[-1].result(timeout_s=WITHIN_S) == SyncReply(unchanged=1)
    system.store.delete_collection(theirs)


def lead(store: QdrantClient, alias: str, name: str) -> None:
    operation = CreateAliasOperation(create_alias=CreateAlias(collection_name=name, alias_name=alias))
    store.update_collection_aliases(change_aliases_operations=[operation])
