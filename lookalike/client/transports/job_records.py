"""Records of jobs in Redis, so that any process can ask how far a job is, and a cancelled one is not begun.

    <name>:job:<id>   hash   kind: search, search_many or sync; sent_at, expires_at: Unix times by Redis' clock, the
                             latter empty for a job that does not expire; state: queued, started or cancelled; by: the
                             worker that began it, as a holder of messages. Expires.

The record goes with its answer; that of a job which failed, expired or was cancelled stays until it expires. A message
of another Celery app has no record, nor has one that no client waits for. Beginning and cancelling change the
state in one step on the server, so a job is never both.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from lookalike.client.transports.transport import JobKind, JobState, JobStatus
from lookalike.errors import NoSuchJob
from lookalike.redis_keys import Keys

# As long as an answer (RESULT_EXPIRES_S in lookalike/broker/app.py), after the time until which the job may begin.
KEPT_S = 3600
# Of a job that does not expire: it may wait behind many others.
WAITING_KEPT_S = 24 * 3600
# Stores a record and returns the time, in one request. ARGV: kind, seconds until it expires or "", seconds to keep it.
_STORE = """
local now = redis.call('TIME')
local sent_at = now[1] + now[2] / 1000000
local expires_at = ''
if ARGV[2] ~= '' then expires_at = string.format('%.6f', sent_at + ARGV[2]) end
redis.call('HSET', KEYS[1], 'kind', ARGV[1], 'sent_at', string.format('%.6f', sent_at),
           'expires_at', expires_at, 'state', 'queued')
redis.call('EXPIRE', KEYS[1], ARGV[3])
return string.format('%.6f', sent_at)
"""
# Changes the state of what is queued; returns the state before, nil if there is no record. ARGV: the new state.
_LEAVE_QUEUE = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' then redis.call('HSET', KEYS[1], 'state', ARGV[1], 'by', ARGV[2] or '') end
return state
"""
# Notes how far a job is; returns its state, nil without a record. ARGV: done, total, seconds left or "", to keep it.
_ADVANCE = """
local state = redis.call('HGET', KEYS[1], 'state')
if state then
  redis.call('HSET', KEYS[1], 'done', ARGV[1], 'total', ARGV[2], 'eta_s', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return state
"""
# Cancels what is queued or under way; returns the state before, nil if there is no record.
_CANCEL_BEGUN = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' or state == 'started' then redis.call('HSET', KEYS[1], 'state', 'cancelled') end
return state
"""
# The states of Celery, where a stored one tells more than the record.
_STATES: dict[str, JobState] = {"SUCCESS": "done", "FAILURE": "failed", "RETRY": "started", "STARTED": "started"}


class JobRecords:
    """The records of one system. Methods raise RedisError."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def store(self, pipe: Any, job: str, kind: JobKind, expires_s: float | None) -> None:
        """Adds the storing of a new record to a pipeline, whose result is the Unix time as text."""
        kept_s = WAITING_KEPT_S if expires_s is None else KEPT_S + expires_s
        expires = "" if expires_s is None else f"{expires_s:.6f}"
        pipe.eval(_STORE, 1, self._keys.job(job), kind, expires, int(kept_s))

    def begin(self, job: str, keys: Sequence[str] = (), *, by: str = "") -> tuple[bool, list[bytes | None]]:
        """Called by a worker before it begins: whether it may, and the values of these keys, in one request.

        `by` is the worker's name as a holder of messages, by which a client finds out whether it still lives; empty
        for a message that another worker takes over.

        It may also if there is no record, if it began before, and if a full broker cannot note that it begins.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.eval(_LEAVE_QUEUE, 1, self._keys.job(job), "started", by)
            for key in keys:
                pipe.get(key)
            state, *values = pipe.execute(raise_on_error=False)
        for value in values:
            if isinstance(value, Exception):
                raise value
        return state != b"cancelled", values

    def orphans(self, jobs: Sequence[str], result_key: Callable[[str], Any]) -> list[str]:
        """Those that a worker began which does not live any more, that no other takes over, and without a result."""
        with self._redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.hget(self._keys.job(job), "by")
            begun = [(job, by.decode()) for job, by in zip(jobs, pipe.execute(), strict=True) if by]
            if not begun:
                return []
            # In this order: a worker that answers and then ends is no loss.
            for job, by in begun:
                pipe.exists(self._keys.lease(by))
                pipe.exists(result_key(job))
            found = pipe.execute()
        kept = zip(begun, found[::2], found[1::2], strict=True)
        return [job for (job, _), lives, has_result in kept if not lives and not has_result]

    def cancel(self, job: str, *, begun: bool = False) -> bool:
        """Whether the job is cancelled by now, and has not begun unless it may be `begun`. Raises NoSuchJob."""
        if begun:
            state = self._redis.eval(_CANCEL_BEGUN, 1, self._keys.job(job))
        else:
            state = self._redis.eval(_LEAVE_QUEUE, 1, self._keys.job(job), "cancelled")
        if state is None:
            raise no_such_job(job)
        return state in {b"queued", b"cancelled", *((b"started",) if begun else ())}

    def advance(self, job: str, done: int, total: int, eta_s: float | None) -> bool:
        """Notes how far a job is, for one that tells; whether it is to go on, which it is without a record, too."""
        left = "" if eta_s is None else f"{eta_s:.1f}"
        state = self._redis.eval(_ADVANCE, 1, self._keys.job(job), done, total, left, WAITING_KEPT_S)
        return bool(state != b"cancelled")

    def read(self, job: str, celery_state: str | None) -> JobStatus:
        """The status of a job, from its record and the state that Celery has stored, if any. Raises NoSuchJob."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._keys.job(job))
            pipe.time()
            found, (seconds, microseconds) = pipe.execute()
        record = {name.decode(): value.decode() for name, value in found.items()}
        if not {"kind", "sent_at", "expires_at", "state"} <= record.keys():
            raise no_such_job(job)
        is_late = record["expires_at"] != "" and float(record["expires_at"]) <= seconds + microseconds / 1e6
        state = record["state"]
        if state != "cancelled":
            if celery_state == "REVOKED":
                # By a worker that found it expired; or by a person, for example in Flower.
                state = "expired" if is_late else "cancelled"
            elif state == "queued" and is_late and celery_state is None:
                state = "expired"
            else:
                state = _STATES.get(celery_state or "", state)
        sent_at = datetime.fromtimestamp(float(record["sent_at"]), UTC)
        total, left = int(record.get("total", 0)), record.get("eta_s", "")
        return JobStatus(
            job,
            record["kind"],
            sent_at,
            state,
            progress=int(record["done"]) / total if total else None,
            eta_s=float(left) if left else None,
        )


def no_such_job(job: object) -> NoSuchJob:
    """The error for an id that is unknown."""
    return NoSuchJob(
        f"There is no job {str(job)[:100]!r}: it was never sent, its answer was fetched, or it is too old to be known."
    )
