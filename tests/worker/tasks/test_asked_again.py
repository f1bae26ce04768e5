"""A search whose worker dies is asked once more by its client: it was acknowledged when it began."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from lookalike import AsyncClient, Client, Refused
from lookalike.settings import read_settings
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.support.workers import worker_process
from tests.worker.tasks.conftest import LATE_PX, SLOW_PX, System

PATIENCE_S = 60.0
QUEUES = "again:ingest,again:rescan,again:search"


def kill_children(system: System) -> None:
    for child in system.worker.children():
        os.kill(child, signal.SIGKILL)


def test_a_search_whose_process_dies_is_answered_by_the_next_one(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=PATIENCE_S)
    late = encoded(picture(3, (LATE_PX, 48)))
    job = system.client.search(late, 1, scaled=False)
    first = job.id
    wait_until(lambda: job.status().state == "started")

    kill_children(system)

    assert [found.path for found in job.result(timeout_s=PATIENCE_S)]
    assert job.id != first


def test_so_is_one_that_is_awaited(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=PATIENCE_S)
    late = encoded(picture(4, (LATE_PX, 48)))

    async def search() -> list[str]:
        async with AsyncClient(system.settings) as client:
            searching = asyncio.create_task(client.search(late, 1, scaled=False, timeout_s=PATIENCE_S))
            await asyncio.to_thread(wait_until, lambda: begun(system))
            kill_children(system)
            return [found.path for found in await searching]

    assert asyncio.run(search())


def test_many_searches_in_one_message_are_asked_again_too(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=PATIENCE_S)
    searches = system.client.search_many([encoded(picture(5, (LATE_PX, 48)))], 1, scaled=False)
    wait_until(lambda: searches.jobs[0].status().state == "started")

    kill_children(system)

    (answer,) = searches.result(timeout_s=PATIENCE_S)
    assert answer.error is None
    assert len(answer.neighbours) == 1


def test_a_worker_that_is_gone_with_all_its_processes_is_noticed_by_its_lease(system: System, tmp_path: Path) -> None:
    """Celery tells nothing of it: no other worker has the message, and no result comes."""
    environment = system.environment | {"LOOKALIKE_NAME": "again", "LOOKALIKE_LEASE_S": "1"}
    environment["LOOKALIKE_DECODE_TIMEOUT_S"] = "60"
    settings = read_settings(redis_url=environment["REDIS_URL"], library=system.root, name="again")
    hangs, answers = encoded(picture(6, (SLOW_PX, 48))), environment | {"PYTHONPATH": ""}
    with Client(settings) as client:
        with worker_process(tmp_path / "first.log", environment, queues=QUEUES) as worker:
            client.sync([system.path(3)]).result(timeout_s=PATIENCE_S)
            job = client.search(hangs, 1, scaled=False)
            wait_until(lambda: job.status().state == "started")
            worker.kill()
        with worker_process(tmp_path / "second.log", answers, queues=QUEUES):
            assert [found.path for found in job.result(timeout_s=PATIENCE_S)] == ["3.png"]


def test_a_sync_is_not_asked_again_and_a_job_of_another_process_neither(system: System) -> None:
    job = system.client.search(encoded(picture(7, (LATE_PX, 48))), 1, scaled=False)
    wait_until(lambda: job.status().state == "started")
    kill_children(system)

    with pytest.raises(Refused, match="process died over it"):
        system.client.job(job.id).result(timeout_s=PATIENCE_S)


def begun(system: System) -> bool:
    """Whether a worker has begun the only job that has no answer."""
    jobs = [system.redis.hget(key, "state") for key in system.redis.scan_iter("lookalike:job:*")]
    return b"started" in jobs
