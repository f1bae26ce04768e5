"""A worker whose broker or store is away lives and says so: whoever restarts what is dead leaves it alone."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lookalike.redis_keys import Keys
from lookalike.system.alive_file import BROKER_AWAY, STARTING, PartHealth, read_health
from tests.support.valkey import free_port, start_valkey, stop_valkey, valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import ROOT, worker_environment, worker_process

WITHIN_S = 60.0


def is_so(file: Path, trouble: str) -> bool:
    """Whether the part says this from now on: what the file has from before does not count."""
    return read_health(file, time.time()) == PartHealth(True, trouble)


def test_a_worker_whose_broker_is_away_lives_is_not_ready_and_becomes_so_again(tmp_path: Path, model: Path) -> None:
    alive, port = tmp_path / "alive", free_port()
    broker = start_valkey(tmp_path, port)
    environment = worker_environment(
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        QDRANT_URL="http://127.0.0.1:1",
        LOOKALIKE_MODEL=model,
        LOOKALIKE_ALIVE_FILE=alive,
    )
    try:
        with worker_process(tmp_path / "log", environment, queues=Keys("lookalike").duplicates, name="duplicates"):
            wait_until(lambda: is_so(alive, ""), WITHIN_S)

            stop_valkey(broker)
            wait_until(lambda: is_so(alive, BROKER_AWAY), WITHIN_S)

            broker = start_valkey(tmp_path, port)
            wait_until(lambda: is_so(alive, ""), WITHIN_S)
    finally:
        stop_valkey(broker)


@pytest.mark.parametrize(
    ("command", "trouble"),
    [
        # The first program of the container of ingest waits for the store, the worker has nothing to ask of it.
        (("worker.prepare", "--wait"), STARTING),
        (("celery", "--app", "worker", "worker", "--concurrency", "1", "--queues", Keys("lookalike").search), ""),
    ],
)
def test_a_store_that_says_nothing_at_the_start_leaves_the_part_alive(
    command: tuple[str, ...], trouble: str, tmp_path: Path, model: Path
) -> None:
    alive = tmp_path / "alive"
    # It takes connections, as a store does that reads a large index.
    with valkey_process(tmp_path) as url, socket.create_server(("127.0.0.1", 0)) as store:
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=f"http://127.0.0.1:{store.getsockname()[1]}",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_LIBRARY=tmp_path,
            LOOKALIKE_ALIVE_FILE=alive,
        )
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=quiet, stderr=quiet
        )
        try:
            wait_until(lambda: is_so(alive, trouble), WITHIN_S)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()
