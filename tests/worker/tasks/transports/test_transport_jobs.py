"""What every transport promises of a job: found again, cancelled, expired, and answered once."""

import threading
from typing import Any

import pytest

from lookalike import Cancelled, Client, Job, NoSuchJob, Refused, TimedOut
from lookalike.messages import SyncReply
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.worker.tasks.transports.sides import NAMES, Side, paths


def test_what_is_refused_stays_so_for_everybody_who_asks(side: Side, client: Client) -> None:
    job = client.search("kept/bad.png")

    for _ in range(2):
        with pytest.raises(Refused, match=r"'kept/bad.png' was rejected: it is not an image"):
            job.result(timeout_s=20)
    assert job.status().state == "failed"
    with side.client() as other, pytest.raises(Refused, match="was rejected"):
        other.job(job.id).result(timeout_s=20)


def test_another_process_reads_the_answer_of_a_job_with_its_type(side: Side, client: Client) -> None:
    search, sync = client.search(NAMES[1], 1), client.sync([NAMES[1], NAMES[2]])

    with side.client() as other:
        (found,) = other.job(search.id).result(timeout_s=20)
        reply = other.job(sync.id).result(timeout_s=20)

    assert (found.path, reply) == (NAMES[1], SyncReply(unchanged=2))


def test_a_job_that_is_done_says_so_and_when_it_was_sent(side: Side, client: Client) -> None:
    job = client.search(NAMES[1], 1)

    wait_until(lambda: job.status().state == "done")
    before = job.status()
    assert (before.id, before.kind, before.progress) == (job.id, "search", None)
    answer = job.result(timeout_s=20)

    after = job.status()
    assert after.state == "done"
    assert abs((after.sent_at - before.sent_at).total_seconds()) < 0.1
    assert job.result() is answer
    assert not job.cancel()
    with side.client() as other, pytest.raises(NoSuchJob, match="its answer was fetched"):
        other.job(job.id)


@pytest.mark.parametrize("job", ["5f0c9a4e-6d1b-4b0e-9d59-7a1f0e2b8c11", "", "../x", "x" * 1000, 3])
def test_an_unknown_id_is_told_in_one_sentence(client: Client, job: Any) -> None:
    with pytest.raises(NoSuchJob, match="There is no job") as caught:
        client.job(job)
    assert len(str(caught.value)) < 300


def test_what_has_not_begun_is_cancelled_and_never_begun(side: Side, client: Client) -> None:
    with side.held():
        jobs: list[Job[Any]] = [client.search(NAMES[0], 1), client.search(encoded(picture(301)), 1), client.sync(NAMES)]
        assert [job.status().state for job in jobs] == ["queued"] * 3
        with side.client() as other:
            assert all(other.job(job.id).cancel() for job in jobs)
        assert all(job.cancel() for job in jobs)
        for job in jobs:
            with pytest.raises(Cancelled, match="cancelled before a worker began it"):
                job.result(timeout_s=20)

    # All of them were taken by now.
    assert paths(client, NAMES[0], 1) == NAMES[:1]
    assert client.sync(NAMES[:1]).result(timeout_s=20) == SyncReply(unchanged=1)
    for job in jobs:
        assert job.status().state == "cancelled"
        with pytest.raises(Cancelled):
            job.result(timeout_s=20)


def test_who_waits_for_a_job_hears_at_once_that_it_was_cancelled(side: Side, client: Client) -> None:
    heard: list[Exception] = []

    def wait(job: Any) -> None:
        try:
            job.result(timeout_s=60)
        except Cancelled as error:
            heard.append(error)

    with side.held():
        job = client.search(NAMES[0], timeout_s=60)
        thread = threading.Thread(target=wait, args=(job,))
        thread.start()
        with side.client() as other:
            assert other.job(job.id).cancel()
        thread.join(30)

    assert len(heard) == 1


def test_what_is_not_begun_in_time_is_expired_and_no_more_to_be_cancelled(side: Side, client: Client) -> None:
    with side.held():
        job = client.search(encoded(picture(301)), timeout_s=0.3)
        wait_until(lambda: job.status().state == "expired")
        assert not job.cancel()
    with pytest.raises(TimedOut):
        job.result(timeout_s=20)
    assert job.status().state == "expired"


def test_what_was_cancelled_stays_so_when_its_time_is_over(side: Side, client: Client) -> None:
    with side.held():
        cancelled, late = (client.search(encoded(picture(301)), timeout_s=0.3) for _ in range(2))
        assert cancelled.cancel()
        wait_until(lambda: late.status().state == "expired")
    # Both were taken by now.
    assert paths(client, NAMES[0], 1) == NAMES[:1]

    with pytest.raises(Cancelled):
        cancelled.result(timeout_s=20)
    with pytest.raises(TimedOut):
        late.result(timeout_s=20)
    assert [job.status().state for job in (cancelled, late)] == ["cancelled", "expired"]
