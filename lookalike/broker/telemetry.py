"""Telemetry: heartbeats, counters and the producer's report, kept in Redis for `lookalike status`.

    <name>:producer            hash    the producer's report, see ProducerReport (its field names)
    <name>:beat:<part>:<id>    string  "1", expires: heartbeat of a part, renewed every few seconds
    <name>:total               hash    embedded: inferences since the index was made
    <name>:done:<bucket>       string  files finished in these ten seconds, expires after two minutes
    <name>:unacked:<holder>    hash    messages that a worker has not acknowledged (written by Celery's transport)
    <name>:allow-removals      string  "1", expires: the next scan may delete any number of entries
    <name>:waits               string  the store's error that a worker waits out, expires soon after the wait
    <name>:holders             set     the workers that may hold messages, see worker/delivery/leases.py

For people to look at: nothing here must survive the broker.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from redis import Redis
from redis.client import Pipeline

from lookalike.broker.envelope import files_in, files_in_unacked
from lookalike.broker.found_groups import FoundGroups
from lookalike.broker.generations import GenerationState
from lookalike.broker.index_state import IndexState
from lookalike.broker.measurements import add_measured, write_measured
from lookalike.broker.pause import PauseState
from lookalike.broker.reports import ProducerReport, SystemReport, producer_report
from lookalike.broker.together import Question, ask_together
from lookalike.redis_keys import Keys

# Those that send heartbeats.
BEATING_PARTS = ("producer", "ingest", "search", "duplicates")
BUCKET_S = 10
WINDOW_S = 60
# A part is silent after three missed beats.
BEAT_S = 5.0
BEAT_TTL_S = 16
# The permission expires: it is meant for the current deletions only.
ALLOWED_S = 3600
# Above the number of messages that the producer lets wait in one queue.
MAX_MESSAGES_READ = 200


def until_common_time_s(now_s: float, every_s: float) -> float:
    """Seconds until a multiple of `every_s` by the machine's monotonic clock, above 0.

    What is written once in a while is written by all processes of a machine at these times, so that the disk of the
    broker, which writes each second in which it has to, is woken for all of them at once.
    """
    return every_s - now_s % every_s


class Telemetry:
    """Reads and writes the telemetry of one system."""

    def __init__(self, redis: Redis, keys: Keys, now: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._keys = keys
        self._now = now

    def system_report(self) -> SystemReport:
        """Everything that parts report."""
        generations = GenerationState(self._redis, self._keys)
        found = ask_together(
            self._redis,
            {
                "producer": self._report_question(),
                "rate": self._rate_question(),
                "embedded": self._embedded_question(),
                "waits": self._wait_question(),
                "away": IndexState(self._redis, self._keys).away_question(),
                **PauseState(self._redis, self._keys).questions(),
                "duplicates": FoundGroups(self._redis, self._keys).summary_question(),
                "reindex": generations.reindex_question(),
                "kept": generations.kept_question(),
            },
        )
        return SystemReport(
            producer=found["producer"],
            alive=self.count_alive(BEATING_PARTS),
            queued=self.queued(),
            rate_per_s=found["rate"],
            embedded_total=found["embedded"],
            wait_reason=found["waits"],
            pause=found["asked"] or found["local"],
            duplicates=found["duplicates"],
            reindex=found["reindex"],
            kept=found["kept"],
            away_since=found["away"],
        )

    def write_report(self, note: ProducerReport) -> None:
        """Replaces the producer's report."""
        self._redis.hset(self._key("producer"), mapping={name: str(value) for name, value in asdict(note).items()})

    def report_question(self) -> Question[bool]:
        """Whether the broker still has the producer's report."""
        return Question(("EXISTS", self._key("producer")), bool)

    def read_report(self) -> ProducerReport:
        """The producer's last report; all zero before its first."""
        return self._report_question().ask(self._redis)

    def _report_question(self) -> Question[ProducerReport]:
        return Question(("HGETALL", self._key("producer")), producer_report)

    def allow_removals(self) -> None:
        """Lets one scan of each generation delete the entries of missing files, however many they are."""
        for system in (self._keys.system, self._keys.next.system):
            self._redis.set(f"{system}:allow-removals", "1", ex=ALLOWED_S)

    def are_removals_allowed(self) -> bool:
        """Whether deletions are allowed and no scan has used the permission yet."""
        return self.removals_question().ask(self._redis)

    def removals_question(self) -> Question[bool]:
        """Asks for that."""
        return Question(("EXISTS", self._key("allow-removals")), bool)

    def revoke_removals(self) -> None:
        """Clears the permission once a scan has used it."""
        self._redis.delete(self._key("allow-removals"))

    def heartbeat(self, part: str, identity: str, pipe: Pipeline | None = None) -> None:
        """Renews the heartbeat of a part's process; with a pipeline as a part of its request."""
        redis = self._redis if pipe is None else pipe
        redis.set(self._key(f"beat:{part}:{identity}"), "1", ex=BEAT_TTL_S)

    def count_alive(self, parts: Iterable[str]) -> Mapping[str, int]:
        """How many processes of each part have a heartbeat."""
        prefix = self._key("beat:")
        beating = Counter(
            _text(key).removeprefix(prefix).partition(":")[0]
            for key in set(self._redis.scan_iter(match=f"{prefix}*", count=1000))
        )
        return {part: beating[part] for part in parts}

    def count_start(self, part: str) -> None:
        """Counts a start of a part."""
        write_measured(self._redis, self._keys, {f"starts:{part}": 1})

    def count_done(self, *, embedded: int, finished: int, measured: Mapping[str, float]) -> None:
        """Adds inferences, finished files (embedded, copied, rejected) and what was measured, in one request."""
        bucket = self._key(f"done:{int(self._now()) // BUCKET_S}")
        with self._redis.pipeline(transaction=False) as pipe:
            if embedded:
                pipe.hincrby(self._key("total"), "embedded", embedded)
            if finished:
                pipe.incrby(bucket, finished)
                pipe.expire(bucket, 2 * WINDOW_S)
            add_measured(pipe, self._keys, measured)
            pipe.execute()

    def embedded_total(self) -> int:
        """Inferences since the index was made."""
        return self._embedded_question().ask(self._redis)

    def _embedded_question(self) -> Question[int]:
        return Question(("HGET", self._key("total"), "embedded"), lambda total: int(total or 0))

    def forget_report(self) -> None:
        """Removes the producer's report, when the system starts: that of a run before would pass for this one's."""
        self._redis.delete(self._key("producer"))

    def reset_totals(self) -> None:
        """Resets the counters, for an index that is rebuilt."""
        self._redis.delete(self._key("total"))

    def _rate_question(self) -> Question[float]:
        """Files finished per second over the last minute, or since work began if that is shorter."""
        now = self._now()
        last = int(now) // BUCKET_S
        buckets = range(last - WINDOW_S // BUCKET_S, last + 1)

        def rate(found: Sequence[bytes | None]) -> float:
            counts = [int(count or 0) for count in found]
            begun = next((at for at, count in zip(buckets, counts, strict=True) if count), None)
            return 0.0 if begun is None else sum(counts) / max(1.0, now - begun * BUCKET_S)

        return Question(("MGET", *(self._key(f"done:{at}") for at in buckets)), rate)

    def waiting(self) -> int:
        """Messages in the ingest queues."""
        return int(self._redis.llen(self._keys.ingest)) + int(self._redis.llen(self._keys.rescan))

    def in_progress(self) -> int:
        """Files in messages that workers took from the ingest queues and have not finished."""
        return self._files(max_messages=0)[1]

    def queued(self) -> int:
        """Files in the ingest queues and in work, seen at one moment: 0 only if nothing is there.

        Beyond MAX_MESSAGES_READ messages of a queue it is an estimate.
        """
        return sum(self._files(max_messages=MAX_MESSAGES_READ))

    def _files(self, *, max_messages: int) -> tuple[int, int]:
        """Files that wait, estimated from `max_messages` messages of each queue, and files in work."""
        queues = (self._keys.ingest, self._keys.rescan)
        known: set[bytes] = set()
        while True:
            with self._redis.pipeline() as pipe:
                pipe.smembers(self._keys.holders)
                for holder in known:
                    pipe.hvals(self._keys.unacked(_text(holder)))
                for queue in queues if max_messages else ():
                    pipe.llen(queue)
                    pipe.lrange(queue, -max_messages, -1)
                holders, *rest = pipe.execute()
            if holders <= known:
                break
            # A worker that started meanwhile may have taken messages that were counted as waiting.
            known |= holders
        held, lists = rest[: len(known)], rest[len(known) :]
        waiting = 0
        for length, seen in zip(lists[::2], lists[1::2], strict=True):
            files = sum(files_in(message) for message in seen)
            waiting += files if length == len(seen) else round(files * length / len(seen))
        return waiting, sum(files_in_unacked(message, frozenset(queues)) for messages in held for message in messages)

    def report_wait(self, why: str, for_s: float) -> None:
        """Reports that a worker waits, for how long and why; an empty reason ends the report."""
        self._redis.set(self._key("waits"), why, ex=int(for_s) + BEAT_TTL_S)

    def _wait_question(self) -> Question[str]:
        """Why a worker waits or waited a moment ago; empty if none did."""
        return Question(("GET", self._key("waits")), lambda why: _text(why or ""))

    def _key(self, rest: str) -> str:
        return f"{self._keys.system}:{rest}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
