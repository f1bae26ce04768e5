"""Records of jobs at a real Valkey: who begins and who cancels is one of them, and a state is what both sides left."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from redis import Redis

from lookalike import NoSuchJob
from lookalike.client.transports.job_records import WAITING_KEPT_S, JobRecords
from lookalike.client.transports.transport import JobState
from lookalike.redis_keys import Keys

KEYS = Keys("records")


@pytest.fixture
def records(redis: Redis) -> JobRecords:
    return JobRecords(redis, KEYS)


def stored(redis: Redis, records: JobRecords, *, expires_s: float | None = None) -> str:
    job = str(uuid4())
    with redis.pipeline(transaction=False) as pipe:
        records.store(pipe, job, "search", expires_s)
        pipe.execute()
    return job


def test_of_many_that_begin_and_cancel_at_once_one_wins(redis: Redis, records: JobRecords) -> None:
    jobs = [stored(redis, records) for _ in range(200)]

    with ThreadPoolExecutor(8) as pool:
        asked = [(pool.submit(records.begin, job), pool.submit(records.cancel, job)) for job in jobs]
        won = [(begun.result()[0], cancelled.result()) for begun, cancelled in asked]

    assert set(won) <= {(True, False), (False, True)}
    assert [records.read(job, None).state for job in jobs] == ["started" if begun else "cancelled" for begun, _ in won]


def test_to_begin_again_and_to_cancel_again_is_allowed(redis: Redis, records: JobRecords) -> None:
    begun, cancelled = stored(redis, records), stored(redis, records)

    assert [records.begin(begun)[0], records.begin(begun)[0], records.cancel(begun)] == [True, True, False]
    assert [records.cancel(cancelled), records.cancel(cancelled), records.begin(cancelled)[0]] == [True, True, False]


def test_a_job_without_a_record_is_begun_and_gets_none(redis: Redis, records: JobRecords) -> None:
    assert records.begin("of another app") == (True, [])
    with pytest.raises(NoSuchJob, match="There is no job 'of another app'"):
        records.cancel("of another app")
    assert not redis.exists(KEYS.job("of another app"))


def test_the_time_is_that_of_the_server_and_the_record_expires(redis: Redis, records: JobRecords) -> None:
    seconds, _ = redis.time()
    search, sync = stored(redis, records, expires_s=30.0), stored(redis, records)

    assert 0 <= records.read(search, None).sent_at.timestamp() - seconds < 2
    assert 3628 <= int(redis.ttl(KEYS.job(search))) <= 3630
    assert WAITING_KEPT_S - 2 <= int(redis.ttl(KEYS.job(sync))) <= WAITING_KEPT_S


@pytest.mark.parametrize(
    ("move", "celery_state", "state", "late"),
    [
        (None, None, "queued", "expired"),
        (None, "REVOKED", "cancelled", "expired"),
        ("begin", None, "started", "started"),
        ("begin", "RETRY", "started", "started"),
        ("begin", "SUCCESS", "done", "done"),
        ("begin", "FAILURE", "failed", "failed"),
        ("cancel", None, "cancelled", "cancelled"),
        ("cancel", "REVOKED", "cancelled", "cancelled"),
        ("cancel", "FAILURE", "cancelled", "cancelled"),
        # Done by a worker that knows no records.
        (None, "SUCCESS", "done", "done"),
    ],
)
def test_a_state_is_what_the_record_and_celery_say(
    redis: Redis, records: JobRecords, move: str | None, celery_state: str | None, state: JobState, late: JobState
) -> None:
    found = []
    for expires_s in (60.0, 0.001):
        job = stored(redis, records, expires_s=expires_s)
        if move is not None:
            getattr(records, move)(job)
        # The second has expired by the server's clock after this.
        _wait_a_millisecond(redis)
        found.append(records.read(job, celery_state).state)

    assert found == [state, late]


def _wait_a_millisecond(redis: Redis) -> None:
    def now_s() -> float:
        seconds, microseconds = redis.time()
        return float(seconds) + float(microseconds) / 1e6

    begun_s = now_s()
    next(passed for passed in iter(now_s, None) if passed > begun_s + 0.002)


def test_what_belongs_to_a_job_comes_with_its_beginning_also_from_a_full_broker(
    redis: Redis, records: JobRecords
) -> None:
    job = stored(redis, records)
    redis.set("there", b"\xff")
    redis.config_set("maxmemory", 1)
    try:
        assert records.begin(job, ["there", "gone"]) == (True, [b"\xff", None])
    finally:
        redis.config_set("maxmemory", 0)
    assert records.read(job, None).state == "queued"
    assert records.begin(job, ["gone", "there"]) == (True, [None, b"\xff"])
    assert records.read(job, None).state == "started"
