"""Leases: how a live worker is told from one that died or froze, so that its messages come back in seconds.

Celery's Redis transport keeps what is delivered and not acknowledged in three keys shared by all workers,
and gives a dead worker's messages back only after the visibility timeout. Here each worker process has keys and a
lease of its own; any other worker that finds an expired lease requeues what its holder held, to be taken first.

    <name>:holders                   set     the workers that may hold messages
    <name>:lease:<holder>            string  "1", expires: the holder is alive, it renews five times in that time
    <name>:unacked:<holder>          hash    delivery tag -> message
    <name>:unacked:<holder>:index    zset    delivery tag -> time of delivery
    <name>:unacked:<holder>:mutex    string
    <name>:taken:<tag>               string  the holder that requeued the message, expires after a day

Only Redis' clock counts, because clocks of machines differ. A holder that was only frozen finds the tag among the
taken ones and not among those that it holds, and stops (`HeldMessage`).
"""

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.client import Pipeline

from lookalike.log import get_logger
from lookalike.redis_keys import Keys
from worker.delivery.liveness import is_alive, this_process

TAKEN_KEPT_S = 24 * 3600
# A lease lasts longer than this: a shorter pause cannot have cost the process its messages.
FROZEN_S = 1.0
log = get_logger(__name__)


def holder() -> str:
    """The name of this process as a holder of messages, unique among machines and containers."""
    return f"{_here()}/{this_process()}"


def died_here(holder: str) -> bool:
    """Whether the holder was a process of this machine and container and is dead: its lease need not expire first."""
    here, _, process = holder.partition("/")
    return here != "" and here == _here() and is_alive(process) is False


class Leases:
    """The leases of one system, seen by the holder `mine`. All methods raise RedisError if the broker fails."""

    def __init__(self, redis: Redis, keys: Keys, mine: str, *, lease_s: float) -> None:
        self._redis = redis
        self._keys = keys
        self._mine = mine
        self._lease_ms = max(1, int(lease_s * 1000))
        self._others: set[str] = set()

    def renew(self, also: Callable[[Pipeline], object] = lambda _: None) -> tuple[set[str], set[str]]:
        """Renews this holder's lease, also at a broker that was emptied; `also` adds to the request.

        Returns the other holders, and those of them that were known the time before and whose lease has expired.
        """
        asked = sorted(self._others)
        with self._redis.pipeline() as pipe:
            pipe.sadd(self._keys.holders, self._mine)
            pipe.set(self._keys.lease(self._mine), "1", px=self._lease_ms)
            pipe.smembers(self._keys.holders)
            pipe.mget([self._keys.lease(one) for one in (*asked, self._mine)])
            also(pipe)
            _, _, holders, found, *_ = pipe.execute()
        self._others = {one.decode() for one in holders} - {self._mine}
        expired = {one for one, lease in zip(asked, found, strict=False) if lease is None}
        return self._others, expired & self._others

    def adopt(self) -> None:
        """Gives a lease to each unknown holder of messages, as after a broker was emptied or an upgrade.

        A live holder renews before that lease expires.
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

    def acknowledge(self, tag: str) -> None:
        """Removes the message from those that this holder holds."""
        key = self._keys.unacked(self._mine)
        with self._redis.pipeline() as pipe:
            pipe.hdel(key, tag)
            pipe.zrem(f"{key}:index", tag)
            pipe.execute()

    def requeue_own(self, which: Callable[[str], bool]) -> int:
        """Requeues the messages of this holder whose tag is asked for. Returns how many."""
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
        """Requeues what another holder held and forgets the holder, in one transaction; only if it is dead or expired.

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

        # Watched keys: a renewal or an acknowledgement meanwhile restarts this, and of two takeovers one wins.
        return self._transaction(move, key, lease)

    def look_up(self, tag: str) -> tuple[bool, bool]:
        """Whether this holder holds the message, and whether the message was requeued after a lease had expired."""
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
            log.warning("an unacknowledged entry is not a message and is dropped", entry=repr(held[:200]))
            return
        # At the end that is consumed first. Our queues have the routing key's name.
        pipe.rpush(queue if queue in self._keys.queues else self._keys.ingest, json.dumps(payload))


class TakenOver(Exception):
    """Another worker has requeued the message, because this worker's lease had expired."""


class HeldMessage:
    """The message of a running task, which must stop when its worker has lost the message."""

    def __init__(self, leases: Leases, tag: str, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._tag = tag
        self._now_s = now_s
        self._checked_s = 0.0

    def check(self) -> bool:
        """Raises TakenOver if the message is lost. Returns whether it was requeued after another lease had expired.

        A message that is neither held nor taken over was lost by the broker: it is done twice rather than not at all.
        """
        held, taken = self._leases.look_up(self._tag)
        if taken and not held:
            raise TakenOver("another worker took it over")
        self._checked_s = self._now_s()
        return taken

    def check_after(self, work: Callable[[], None]) -> None:
        """Does the work, then checks if so much time has passed that this process may have been frozen."""
        work()
        if self._now_s() - self._checked_s > FROZEN_S:
            self.check()


@cache
def _here() -> str:
    """This boot of this kernel and its namespace of processes; empty where the system does not tell.

    A hostname is not enough: containers may share it, and with it the ids of their processes.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot.partition('-')[0]}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
