"""The life of a job at the broker and the workers: begun, found by its id, cancelled, forgotten."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lookalike import Client, Job, Refused
from lookalike.messages import SyncReply
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.support.workers import ROOT, worker_process
from tests.worker.tasks.conftest import LATE_PX, System, stopped


def test_a_job_that_a_worker_began_says_so_and_is_not_cancelled(system: System) -> None:
    names = [system.path(seed, f"begun-{seed}.png", width=LATE_PX) for seed in range(3)]
    job = system.client.sync(names)

    wait_until(lambda: job.status().state == "started", every_s=0.001)

    assert not job.cancel()
    assert job.result(timeout_s=20) == SyncReply(embedded=3)


def test_a_program_that_starts_later_finds_the_job_by_its_id(system: System) -> None:
    system.client.sync([system.path(3)]).result(timeout_s=20)
    job = system.client.search("3.png", 1)
    code = "import sys; from lookalike import Client; print(Client().job(sys.argv[1]).result(timeout_s=20)[0].path)"

    done = subprocess.run(
        [sys.executable, "-c", code, job.id],
        cwd=ROOT, env=system.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("3.png\n", "")


def test_records_expire_and_go_with_the_answer(system: System) -> None:
    keys = system.settings.keys
    kept, fetched = system.client.search("nowhere.png", timeout_s=30), system.client.sync([system.path(3)])
    fetched.result(timeout_s=20)
    with pytest.raises(Refused):
        kept.result(timeout_s=20)

    assert 0 < int(system.redis.ttl(keys.job(kept.id))) <= 3630
    assert not system.redis.exists(keys.job(fetched.id), f"celery-task-meta-{fetched.id}")
    before = set(system.redis.scan_iter(keys.job("*")))
    system.client.status()
    system.client.retry(["a.png"])
    assert set(system.redis.scan_iter(keys.job("*"))) == before


def test_a_worker_is_told_of_what_was_cancelled(system: System) -> None:
    with stopped(system):
        job = system.client.search(encoded(picture(301)))
        assert job.cancel()

    wait_until(lambda: f"Tasks flagged as revoked: {job.id}" in system.worker.said())
    assert f"{job.id}] succeeded" not in system.worker.said()


def test_a_worker_that_starts_later_finds_what_was_cancelled_before(system: System, tmp_path: Path) -> None:
    settings = system.settings.model_copy(update={"name": "later"})
    environment = system.environment | {"LOOKALIKE_NAME": "later"}
    with Client(settings) as client:
        jobs: list[Job[Any]] = [client.search(encoded(picture(301)), timeout_s=60), client.sync(["a.png"])]
        assert all(job.cancel() for job in jobs)
        with worker_process(tmp_path / "later.log", environment, queues="later:ingest,later:search") as worker:
            for job in jobs:
                wait_until(lambda job=job: f"[{job.id}] raised expected: Cancelled" in worker.said())  # type: ignore[misc]

        assert [job.status().state for job in jobs] == ["cancelled"] * 2
