"""The board: the numbers that parts leave in Redis so that `lookalike status` can read them.

    <name>:producer            hash    what the producer knows, see ProducerNote (its field names)
    <name>:beat:<part>:<id>    string  "1", expires: a part that is alive says so every few seconds
    <name>:total               hash    embedded: inferences since the index was made
    <name>:done:<bucket>       string  files finished in these ten seconds, expires after two minutes
    <name>:unacked:<holder>    hash    messages that a worker holds (written by Celery's transport)
    <name>:allow-removals      string  "1", expires: the next scan may remove however many files are gone
    <name>:waits               string  what a worker waits for, in the store's words, expires soon after the wait
    <name>:holders             set     the workers that may hold messages, see worker/delivery/leases.py

Numbers are for people: nothing that must not be lost lives here.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from redis import Redis

from lookalike.envelope import files_in, files_in_hand
from lookalike.redis_keys import Keys

BUCKET_S = 10
WINDOW_S = 60
# A part is silent after three missed beats.
BEAT_S = 5.0
BEAT_TTL_S = 16
# Whoever allows removals means those of now, not those of another disk tomorrow.
ALLOWED_S = 3600
# More than the producer lets wait in one queue.
LOOK_AT = 200


@dataclass(frozen=True)
class ProducerNote:
    """What the producer knows. Counts are files."""

    discovered: int = 0
    ignored: int = 0
    settling: int = 0
    # Paths that are known to need a look and wait in the producer because the queue is long.
    held: int = 0
    # "counting" and "comparing" while a scan runs, "watching" after it, "offline" without a library.
    state: str = "starting"
    # Unix time at which the last whole scan ended; 0.0 before the first.
    scan_ended_at: float = 0.0
    # "inotify" or "polling".
    watching: str = ""
    # What a person should know and do, empty if nothing.
    warning: str = ""


class Telemetry:
    """Reads and writes the board of one system."""

    def __init__(self, redis: Redis, names: Keys, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._names = names
        self._now = now

    def write_report(self, note: ProducerNote) -> None:
        """Replaces what the producer said before."""
        self._redis.hset(self._key("producer"), mapping={name: str(value) for name, value in asdict(note).items()})

    def has_note(self) -> bool:
        """Whether the broker still knows what the producer said."""
        return bool(self._redis.exists(self._key("producer")))

    def read_report(self) -> ProducerNote:
        """What the producer said last; all zero before it ever ran."""
        kept = {_text(name): _text(value) for name, value in self._redis.hgetall(self._key("producer")).items()}
        kinds: dict[str, type] = {field.name: type(field.default) for field in fields(ProducerNote)}
        return ProducerNote(**{name: kinds[name](value) for name, value in kept.items() if name in kinds})

    def allow_removals(self) -> None:
        """Lets one scan remove what is gone, however much it is."""
        self._redis.set(self._key("allow-removals"), "1", ex=ALLOWED_S)

    def are_removals_allowed(self) -> bool:
        """Whether somebody allowed it and no scan has made use of it yet."""
        return bool(self._redis.exists(self._key("allow-removals")))

    def removals_done(self) -> None:
        """A scan made use of it."""
        self._redis.delete(self._key("allow-removals"))

    def heartbeat(self, part: str, identity: str) -> None:
        """Says that this part is alive."""
        self._redis.set(self._key(f"beat:{part}:{identity}"), "1", ex=BEAT_TTL_S)

    def alive(self, parts: Iterable[str]) -> Mapping[str, int]:
        """How many of each part said so lately."""
        return {
            part: sum(1 for _ in self._redis.scan_iter(match=self._key(f"beat:{part}:*"), count=1000)) for part in parts
        }

    def done(self, *, embedded: int, finished: int) -> None:
        """Adds inferences and finished files (embedded, copied, rejected)."""
        bucket = self._key(f"done:{int(self._now()) // BUCKET_S}")
        with self._redis.pipeline(transaction=False) as pipe:
            if embedded:
                pipe.hincrby(self._key("total"), "embedded", embedded)
            if finished:
                pipe.incrby(bucket, finished)
                pipe.expire(bucket, 2 * WINDOW_S)
            pipe.execute()

    def embedded_total(self) -> int:
        """Inferences since the index was made."""
        return int(self._redis.hget(self._key("total"), "embedded") or 0)

    def forget_totals(self) -> None:
        """Starts counting anew, for an index that is made anew."""
        self._redis.delete(self._key("total"))

    def rate_per_s(self) -> float:
        """Files finished per second over the last minute, or since work began if that is shorter."""
        now = self._now()
        last = int(now) // BUCKET_S
        buckets = range(last - WINDOW_S // BUCKET_S, last + 1)
        counts = [int(count or 0) for count in self._redis.mget([self._key(f"done:{at}") for at in buckets])]
        begun = next((at for at, count in zip(buckets, counts, strict=True) if count), None)
        if begun is None:
            return 0.0
        return sum(counts) / max(1.0, now - begun * BUCKET_S)

    def waiting(self) -> int:
        """Messages in the ingest queues."""
        return int(self._redis.llen(self._names.ingest)) + int(self._redis.llen(self._names.rescan))

    def in_progress(self) -> int:
        """Files in messages that workers took from the ingest queues and have not finished."""
        return self._files(look_at=0)[1]

    def queued(self) -> int:
        """Files in the ingest queues and in work, seen at one moment: 0 only if nothing is there.

        Beyond LOOK_AT messages of a queue it is an estimate.
        """
        return sum(self._files(look_at=LOOK_AT))

    def _files(self, *, look_at: int) -> tuple[int, int]:
        """Files that wait, estimated from `look_at` messages of each queue, and files in work."""
        queues = (self._names.ingest, self._names.rescan)
        known: set[bytes] = set()
        while True:
            with self._redis.pipeline() as pipe:
                pipe.smembers(self._names.holders)
                for holder in known:
                    pipe.hvals(self._names.unacked(_text(holder)))
                for queue in queues if look_at else ():
                    pipe.llen(queue)
                    pipe.lrange(queue, -look_at, -1)
                holders, *rest = pipe.execute()
            if holders <= known:
                break
            # Whoever came meanwhile may have taken what was counted before.
            known |= holders
        held, lists = rest[: len(known)], rest[len(known) :]
        waiting = 0
        for length, seen in zip(lists[::2], lists[1::2], strict=True):
            files = sum(files_in(message) for message in seen)
            waiting += files if length == len(seen) else round(files * length / len(seen))
        return waiting, sum(files_in_hand(message, frozenset(queues)) for messages in held for message in messages)

    def waits(self, why: str, for_s: float) -> None:
        """Says that a worker waits for so long, and why; empty if it does not any more."""
        self._redis.set(self._key("waits"), why, ex=int(for_s) + BEAT_TTL_S)

    def waits_for(self) -> str:
        """Why a worker waits or waited a moment ago; empty if none does."""
        return _text(self._redis.get(self._key("waits")) or "")

    def _key(self, rest: str) -> str:
        return f"{self._names.system}:{rest}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
