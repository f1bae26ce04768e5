"""What a worker holds while much is tried again: little, however much waits, and the same for ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.app import celery_app
from lookalike.broker.telemetry import Telemetry
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC
from lookalike.settings import read_settings
from tests.programs.chaos.hoard import BAD, FAILING_DISK
from tests.support.edge import edge_process
from tests.support.sending import send
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process

MOST, MESSAGES = 3, 20


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    with valkey_process(tmp_path) as url:
        yield url


def test_a_worker_holds_a_few_of_many_messages_that_are_to_be_tried_again(
    tmp_path: Path, redis_url: str, model: Path
) -> None:
    library, site = tmp_path / "library", tmp_path / "site"
    library.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(FAILING_DISK)
    names = [f"{BAD}{at}.png" for at in range(MESSAGES)]
    for name in names:
        (library / name).touch()
    settings = read_settings(redis_url=redis_url, library=library, model=str(model))
    with edge_process(tmp_path / "store") as edge, Redis.from_url(redis_url) as redis:
        environment = worker_environment(
            REDIS_URL=redis_url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=library,
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_MAX_QUEUED_BATCHES=str(MOST),
            PYTHONPATH=site,
        )
        telemetry = Telemetry(redis, settings.keys)
        with worker_process(tmp_path / "worker.log", environment, queues=settings.keys.ingest) as worker:
            for name in names:
                send(settings, SYNC, SyncMessage(paths=[name]), queue=settings.keys.ingest)
            # Somebody else's countdown is no reason to stop.
            for seed in range(MOST):
                later = SyncMessage(paths=[f"later-{seed}.png"])
                send(settings, SYNC, later, queue=settings.keys.ingest, countdown=3600)

            wait_until(lambda: retried(worker) >= MESSAGES)
            wait_until(lambda: telemetry.waiting() + telemetry.in_progress() == MESSAGES + MOST)

            # Of our own one more is in the hands of the process.
            assert telemetry.in_progress() <= 2 * MOST + 1
            app = celery_app(settings)
            with app.connection_for_write() as connection:
                (told,) = app.control.inspect(timeout=5.0, connection=connection).stats().values()
            assert told["prefetch_count"] == 0
            worker.kill()


def retried(worker: WorkerProcess) -> int:
    return worker.said().count("retry: Retry in")
