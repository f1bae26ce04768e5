"""A running system whose store loses the index: all is indexed again by itself, and `status` says so."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException
from qdrant_client.models import DeleteAlias, DeleteAliasOperation

from lookalike import Client, LookalikeError
from lookalike.broker.app import redis_of
from lookalike.broker.telemetry import Telemetry
from lookalike.client.status import Status
from tests.local.conftest import Machine
from tests.support.lean_system import lean_system
from tests.support.pictures import draw
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

PICTURES = 30
WITHIN_S = 60.0
LOST = "The store had lost the index"


class System:
    """What `up` runs on a machine, and a client of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.client = Client(data=machine.folder.root)
        self.seen: list[Status] = []

    def looks(self) -> Status | None:
        with suppress(LookalikeError):
            self.seen.append(self.client.status())
            return self.seen[-1]
        return None

    def is_whole(self, embedded: int) -> bool:
        """Whether all is indexed, by so many inferences since the index was made, and nobody warns of anything."""
        status = self.looks()
        return (
            status is not None
            and status.is_done
            and (status.indexed, status.embedded_total, status.warning) == (PICTURES, embedded, None)
        )


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    machine = Machine(tmp_path_factory.mktemp("lost"))
    for seed in range(PICTURES):
        draw(machine.library / f"{seed}.png", seed)
    tiny_model(machine.tmp_path / "tiny.onnx")
    lean = lean_system(machine.folder.root, machine.library)
    machine.start(lean, LOOKALIKE_MODEL=str(machine.tmp_path / "tiny.onnx"), LOOKALIKE_INGEST_PROCESSES="1")
    system = System(machine)
    wait_until(lambda: system.is_whole(PICTURES), WITHIN_S)
    yield system
    machine.clear()


@pytest.fixture
def store(system: System) -> Iterator[QdrantClient]:
    assert system.machine.running is not None
    store = store_of(system.machine.running)
    yield store
    store.close()


def collections(store: QdrantClient) -> list[str]:
    return [collection.name for collection in store.get_collections().collections]


def test_a_collection_that_somebody_deletes_is_made_anew(system: System, store: QdrantClient) -> None:
    (name,) = collections(store)
    identity = store.get_collection(name).config.metadata
    telemetry = Telemetry(redis_of(system.client.settings), system.client.settings.keys)

    store.delete_collection(name)
    wait_until(lambda: LOST in telemetry.read_report().warning, WITHIN_S)
    wait_until(lambda: system.is_whole(PICTURES), WITHIN_S, told=lambda: system.seen[-1:])

    assert collections(store) == [name]
    assert store.get_collection("lookalike").config.metadata == identity
    neighbours = system.client.search(system.machine.library / "7.png", 1).result(timeout_s=20)
    assert neighbours[0].path == "7.png"


def test_an_alias_that_somebody_deletes_is_made_again_and_nothing_is_embedded(
    system: System, store: QdrantClient
) -> None:
    gone = DeleteAliasOperation(delete_alias=DeleteAlias(alias_name="lookalike"))
    store.update_collection_aliases(change_aliases_operations=[gone])

    wait_until(lambda: store.collection_exists("lookalike"), WITHIN_S)
    assert system.is_whole(PICTURES)


def test_a_store_that_comes_back_empty_is_filled_again(system: System, store: QdrantClient) -> None:
    identity = store.get_collection("lookalike").config.metadata
    folder, machine = system.machine.folder, system.machine
    assert system.client.verdict("1.png", "2.png", "keep-both").recorded == 1
    shutil.move(folder.store, folder.root / "moved away")
    folder.store.mkdir(mode=0o700)
    for pid in machine.pids("edge"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    wait_until(lambda: count_of(store) == PICTURES, WITHIN_S, told=lambda: system.seen[-1:])
    wait_until(lambda: system.is_whole(PICTURES), WITHIN_S, told=lambda: system.seen[-1:])

    assert store.get_collection("lookalike").config.metadata == identity
    assert [each.verdict for each in system.client.verdicts()] == ["keep-both"]


def count_of(store: QdrantClient) -> int | None:
    """How many points there are; None while the store does not answer, or has no index."""
    with suppress(ApiException):
        return store.count("lookalike").count
    return None
