"""What a worker holds while much is tried again: little, however much waits, and the same for ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from lookalike.board import Board
from lookalike.broker import celery_app
from lookalike.messages import SyncMessage
from lookalike.names import SYNC
from lookalike.settings import read_settings
from tests.chaos.hoard import BAD, FAILING_DISK
from tests.running.edge import edge_process
from tests.running.valkey import valkey_process
from tests.running.workers import WorkerProcess, wait_until, worker_environment, worker_process

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
            LOOKALIKE_BACKLOG_BATCHES=str(MOST),
            PYTHONPATH=site,
        )
        board, app = Board(redis, settings.names), celery_app(settings)
        with worker_process(tmp_path / "worker.log", environment, queues=settings.names.ingest) as worker:
            for name in names:
                message = SyncMessage(paths=[name]).model_dump(mode="json")
                app.send_task(SYNC, args=[message], queue=settings.names.ingest, ignore_result=True)
            # Somebody else's countdown is no reason to stop.
            for seed in range(MOST):
                message = SyncMessage(paths=[f"later-{seed}.png"]).model_dump(mode="json")
                app.send_task(SYNC, args=[message], queue=settings.names.ingest, ignore_result=True, countdown=3600)

            wait_until(lambda: retried(worker) >= MESSAGES)
            wait_until(lambda: board.waiting() + board.in_work() == MESSAGES + MOST)

            # Of our own one more is in the hands of the process.
            assert board.in_work() <= 2 * MOST + 1
            (told,) = app.control.inspect(timeout=5.0).stats().values()
            assert told["prefetch_count"] == 0
            worker.kill()
        app.pool.force_close_all()


def retried(worker: WorkerProcess) -> int:
    return worker.said().count("retry: Retry in")
