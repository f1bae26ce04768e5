"""A system whose broker is behind three sentinels: the server dies, its replica goes on, and no image is lost."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lookalike import Client, LookalikeError
from lookalike.broker.pause import LOOK_S
from lookalike.client.status import Status
from tests.local.conftest import Machine
from tests.support.lean_system import lean_system
from tests.support.pictures import draw
from tests.support.sentinels import watched_broker
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

FIRST = 10
MORE = 20
WITHIN_S = 60.0


def test_what_the_replica_had_not_heard_of_is_found_by_a_scan(tmp_path: Path, machine: Machine) -> None:
    for seed in range(FIRST):
        draw(machine.library / f"{seed}.png", seed)
    tiny_model(tmp_path / "tiny.onnx")
    (servers := tmp_path / "servers").mkdir()
    with watched_broker(servers) as broker:
        lean = lean_system(machine.folder.root, machine.library)
        machine.start(lean, REDIS_URL=broker.url, LOOKALIKE_MODEL=str(tmp_path / "tiny.onnx"))
        with Client(data=machine.folder.root) as client:
            wait_until(lambda: indexed(client) == FIRST, WITHIN_S)
            # The messages of the next files wait, at a broker that will be gone.
            client.pause()
            wait_until(lambda: "worker.pausing: paused" in (machine.folder.logs / "ingest.log").read_text(), WITHIN_S)
            # The request for messages that the worker had begun ends within a second.
            time.sleep(LOOK_S)
            with broker.replica_redis() as redis:
                wait_until(lambda: redis.exists(client.settings.keys.pause), WITHIN_S)
            broker.freeze_replica()
            for seed in range(FIRST, FIRST + MORE):
                draw(machine.library / f"{seed}.png", seed)
            wait_until(lambda: queued(client) == MORE, WITHIN_S, told=lambda: look(client))
            broker.fail_over()

            with broker.replica_redis() as redis:
                wait_until(lambda: redis.llen("lookalike:ingest") + redis.llen("lookalike:rescan") > 0, WITHIN_S)
            client.resume()
            wait_until(lambda: indexed(client) == FIRST + MORE, WITHIN_S, told=lambda: look(client))
            found = client.search(str(machine.library / "0.png"), limit=1).result(timeout_s=20)
            assert found[0].path == "0.png"
            assert {file.path for file in client.list()} == {f"{seed}.png" for seed in range(FIRST + MORE)}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.clear()


def look(client: Client) -> Status | None:
    with suppress(LookalikeError):
        return client.status()
    return None


def queued(client: Client) -> int | None:
    status = look(client)
    return None if status is None else status.queued


def indexed(client: Client) -> int | None:
    status = look(client)
    return None if status is None or not status.is_done else status.indexed
