"""Leases: how a worker that lives is told from one that died or froze, so that what it held comes back in seconds.

Celery's Redis transport keeps what is delivered and not acknowledged in three keys shared by all workers,
and gives a dead worker's messages back only after the visibility timeout. Here each worker process has keys and a
lease of its own; any other worker that finds a lease ended puts what its holder held back, to be taken first.

    <name>:holders                   set     the workers that may hold messages
    <name>:lease:<holder>            string  "1", expires: the holder lives, it renews five times in that time
    <name>:unacked:<holder>          hash    delivery tag -> message
    <name>:unacked:<holder>:index    zset    delivery tag -> time of delivery
    <name>:unacked:<holder>:mutex    string
    <name>:taken:<tag>               string  who put the message back, expires after a day

Time is Redis' alone, because clocks of machines differ. A holder that was only frozen finds the tag among what was
taken and not among what it holds, and stops (`Held`).
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis

from lookalike.redis_keys import Keys
from worker.lives import lives, this_process

TAKEN_KEPT_S = 24 * 3600
# Leases are longer.
FROZEN_S = 1.0
log = logging.getLogger(__name__)


def holder() -> str:
    """Names this process among all that hold messages, on any machine and in any container."""
    return f"{_here()}/{this_process()}"


def died_here(holder: str) -> bool:
    """Whether it was a process of this very machine and container, and is dead: its lease need not be waited for."""
    here, _, process = holder.partition("/")
    return here != "" and here == _here() and lives(process) is False


def transport_options(keys: Keys, holder: str, *, visibility_timeout_s: float) -> dict[str, Any]:
    """Options of Celery's Redis transport for a worker with keys of its own."""
    key = keys.unacked(holder)
    return {
        "unacked_key": key,
        "unacked_index_key": f"{key}:index",
        "unacked_mutex_key": f"{key}:mutex",
        # Nobody else looks at these keys so; it is for what this worker itself forgot.
        "visibility_timeout": visibility_timeout_s,
        # Takes from `ingest` before `rescan`: a new photo does not wait behind a million old ones.
        "queue_order_strategy": "sorted",
    }


class Leases:
    """The leases of one system, seen by the holder `mine`. All methods raise RedisError if the broker is away."""

    def __init__(self, redis: Redis, keys: Keys, mine: str, *, lease_s: float) -> None:
        self._redis = redis
        self._keys = keys
        self._mine = mine
        self._lease_ms = max(1, int(lease_s * 1000))

    def renew(self) -> set[str]:
        """Says that this holder lives, also to a broker that was emptied. Returns the others."""
        with self._redis.pipeline() as pipe:
            pipe.sadd(self._keys.holders, self._mine)
            pipe.set(self._keys.lease(self._mine), "1", px=self._lease_ms)
            pipe.smembers(self._keys.holders)
            *_, holders = pipe.execute()
        return {one.decode() for one in holders} - {self._mine}

    def ended(self, others: Iterable[str]) -> list[str]:
        """Those whose lease has ended."""
        asked = sorted(others)
        found = self._redis.mget([self._keys.lease(one) for one in asked]) if asked else []
        return [one for one, lease in zip(asked, found, strict=True) if lease is None]

    def adopt(self) -> None:
        """Gives a lease to whoever holds messages and is not known, as after a broker was emptied or an upgrade.

        Who lives makes itself known before it ends.
        """
        prefix = self._keys.unacked("")
        known: set[bytes] = self._redis.smembers(self._keys.holders)  # type: ignore[assignment]
        for key in self._redis.scan_iter(match=f"{prefix}*", count=1000, _type="hash"):
            stray = key.decode().removeprefix(prefix)
            if stray.encode() not in known:
                with self._redis.pipeline() as pipe:
                    pipe.set(self._keys.lease(stray), "1", px=self._lease_ms, nx=True)
                    pipe.sadd(self._keys.holders, stray)
                    pipe.execute()

    def done(self, tag: str) -> None:
        """This holder no longer holds the message."""
        key = self._keys.unacked(self._mine)
        with self._redis.pipeline() as pipe:
            pipe.hdel(key, tag)
            pipe.zrem(f"{key}:index", tag)
            pipe.execute()

    def put_back_mine(self, which: Callable[[str], bool]) -> int:
        """Puts back what this holder holds, of the tags that are asked for. Returns how many messages."""
        key = self._keys.unacked(self._mine)

        def move(pipe: Any) -> int:
            held: dict[bytes, bytes] = pipe.hgetall(key)
            idle = {tag: message for tag, message in held.items() if which(tag.decode())}
            pipe.multi()
            for tag, message in idle.items():
                self._requeue(pipe, message)
                pipe.hdel(key, tag)
                pipe.zrem(f"{key}:index", tag)
            return len(idle)

        return self._transaction(move, key)

    def take_over(self, other: str, *, is_dead: bool) -> int:
        """Puts back what another holder held and forgets it, all at once; not if its lease runs and it is not dead.

        Returns how many messages.
        """
        key, lease = self._keys.unacked(other), self._keys.lease(other)

        def move(pipe: Any) -> int:
            if not is_dead and pipe.exists(lease):
                pipe.multi()
                return 0
            held: dict[bytes, bytes] = pipe.hgetall(key)
            pipe.multi()
            for tag, message in held.items():
                self._requeue(pipe, message)
                pipe.set(self._keys.taken(tag.decode()), self._mine, ex=TAKEN_KEPT_S)
            pipe.delete(key, f"{key}:index", f"{key}:mutex", lease)
            pipe.srem(self._keys.holders, other)
            return len(held)

        # Watched: whoever renews or acknowledges meanwhile makes it begin again, and of two that take over one does.
        return self._transaction(move, key, lease)

    def of_message(self, tag: str) -> tuple[bool, bool]:
        """Whether this holder holds the message, and whether it was put back because its holder's lease had ended."""
        with self._redis.pipeline() as pipe:
            pipe.hexists(self._keys.unacked(self._mine), tag)
            pipe.exists(self._keys.taken(tag))
            held, taken = pipe.execute()
        return bool(held), bool(taken)

    def _transaction(self, move: Callable[[Any], int], *watched: str) -> int:
        moved: Any = self._redis.transaction(move, *watched, value_from_callable=True)  # type: ignore[arg-type]
        return int(moved)

    def _requeue(self, pipe: Any, held: bytes) -> None:
        try:
            payload, _, queue = json.loads(held)
            payload.setdefault("headers", {})["redelivered"] = True
        except (ValueError, TypeError, AttributeError):
            log.warning("what lay among unacknowledged messages is none and is dropped: %r", held[:200])
            return
        # At the end that is taken first. Our queues have the routing key's name.
        ours = (self._keys.ingest, self._keys.rescan, self._keys.search)
        pipe.rpush(queue if queue in ours else self._keys.ingest, json.dumps(payload))


class TakenOver(Exception):
    """Another worker has put the message back: this one was taken for dead."""


class Held:
    """One message in the hands of its task, which stops when its worker has lost it."""

    def __init__(self, leases: Leases, tag: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._tag = tag
        self._now_s = now_s
        self._seen_s = 0.0

    def insist(self) -> bool:
        """Raises TakenOver if the message is lost. Returns whether it comes from a worker that let its lease end.

        What is neither held nor taken over was lost by the broker, and is done once more rather than not.
        """
        held, taken = self._leases.of_message(self._tag)
        if taken and not held:
            raise TakenOver("another worker took it over")
        self._seen_s = self._now_s()
        return taken

    def before(self, work: Callable[[], None]) -> None:
        """Does the work, and asks when so much time has passed that this process may have been frozen."""
        work()
        if self._now_s() - self._seen_s > FROZEN_S:
            self.insist()


@cache
def _here() -> str:
    """This boot of this kernel and its namespace of processes; empty where nobody can tell.

    A hostname does not do: containers may share it, and with it the ids of their processes.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot.partition('-')[0]}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
