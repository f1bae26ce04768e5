"""A pause: no sync is begun, searches go on, and what waits is done afterwards. What every transport promises."""

from collections.abc import Iterator

import psutil
import pytest

from lookalike import Client, Closed, Refused
from lookalike.messages import SyncReply
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import NICE, System
from tests.worker.tasks.transports.sides import NAMES, Side, celery_side, memory_side


@pytest.fixture(params=["celery", "memory"])
def side(request: pytest.FixtureRequest) -> Side:
    return celery_side(request.getfixturevalue("system")) if request.param == "celery" else memory_side()


@pytest.fixture
def client(side: Side) -> Iterator[Client]:
    with side.client() as client:
        yield client
        client.resume()
        client.sync(NAMES[:1]).result(timeout_s=20)


def pause(client: Client, for_s: float | None = None) -> None:
    """Until the worker has seen it."""
    client.pause(for_s)
    wait_until(lambda: client.sync(NAMES[:1]).status().state == "queued" and begins_none(client))


def begins_none(client: Client) -> bool:
    job = client.sync(NAMES[:1])
    # A search that comes after it is answered before it is begun, only if it rests.
    client.search(NAMES[0]).result(timeout_s=20)
    return job.status().state == "queued"


def test_within_a_pause_syncs_wait_and_searches_are_answered(client: Client) -> None:
    pause(client)

    job = client.sync(NAMES)
    for _ in range(3):
        assert [found.path for found in client.search(NAMES[1], 1).result(timeout_s=20)] == [NAMES[1]]
    assert job.status().state == "queued"
    status = client.status()
    assert (status.paused, status.paused_by, status.paused_until) == (
        "paused until `lookalike resume`",
        "command",
        None,
    )
    assert status.queued > 0
    assert not status.is_done
    assert status.what_is_left().startswith("ingest is paused until `lookalike resume`; ")

    client.resume()

    assert job.result(timeout_s=20) == SyncReply(unchanged=len(NAMES))
    assert client.status().paused is None


def test_a_pause_for_a_time_ends_by_itself(client: Client) -> None:
    pause(client)
    job = client.sync(NAMES)
    # It replaces the one without an end.
    client.pause(1.0)
    assert client.status().paused_until is not None

    assert job.result(timeout_s=20) == SyncReply(unchanged=len(NAMES))
    wait_until(lambda: client.status().paused is None)


def test_a_sync_that_waits_in_a_pause_can_be_cancelled(client: Client) -> None:
    pause(client)

    job = client.sync(NAMES)

    assert job.cancel()
    assert job.status().state == "cancelled"


@pytest.mark.parametrize("for_s", [0, 0.5, -1, float("nan"), "2h", True])
def test_a_pause_of_no_time_is_refused(client: Client, for_s: float) -> None:
    with pytest.raises(Refused, match="must be"):
        client.pause(for_s)
    assert client.status().paused is None


def test_after_close_a_pause_says_so(side: Side) -> None:
    client = side.client()
    client.close()

    for use in (client.pause, client.resume):
        with pytest.raises(Closed, match="make another one"):
            use()


def test_ingest_steps_back_by_its_setting(system: System) -> None:
    pids = [system.worker.process.pid, *system.worker.children()]

    assert {psutil.Process(pid).nice() for pid in pids} == {NICE}
