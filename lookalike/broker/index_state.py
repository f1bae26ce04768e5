"""The state of the index that workers and producer share through the broker.

    <name>:index           hash    library: its id; seen: "1" if its index was there; rules: which files of the library
                                   count, as JSON, written by the producer (lookalike/library/rules.py);
                                   epoch: changes whenever the index may have lost entries; why: what happened then;
                                   anew: "1" if it was recreated in a running system; changed_at: Unix time of that;
                                   undone: changes whenever a worker left something to the next scan; undone_why: what
    <name>:index:trouble   string  why nothing is written, expires: what a person has to repair
    <name>:index:away      string  Unix time since which the store does not answer, expires
    <name>:index:look      string  "1", expires: a worker checks the store in these seconds
    <name>:index:making    string  a lock, expires: held by the worker that creates the index

If the broker loses this, it is restored: the index names its library, and the producer compares again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.exceptions import LockError

from lookalike.broker.together import Question, ask_together
from lookalike.redis_keys import Keys

# Three missed checks of the store.
TROUBLE_S = 31
AWAY_KEPT_S = 3600
# Creating takes a second or two, ten on a very busy machine. Two workers creating it at once do no harm.
CREATING_S = 15.0


@dataclass(frozen=True)
class IndexReport:
    """What is known of the index; all fields are empty if nothing is."""

    epoch: str = ""
    why: str = ""
    is_recreated: bool = False
    trouble: str = ""
    left_undone: str = ""
    why_undone: str = ""


class IndexState:
    """Reads and writes the state of one system's index. Methods raise RedisError if the broker does not answer."""

    def __init__(self, redis: Redis, keys: Keys, unix_s: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._key = f"{keys.system}:index"
        self._unix_s = unix_s

    def read(self) -> IndexReport:
        """What the producer needs to know before it compares the library with the index."""
        return index_report(ask_together(self._redis, {**self.questions()}))

    def questions(self) -> dict[str, Question[Any]]:
        """What `index_report` needs."""
        return {
            "index": Question(("HMGET", self._key, "epoch", "why", "anew", "undone", "undone_why"), list),
            "trouble": Question(("GET", f"{self._key}:trouble"), _text),
        }

    def library(self) -> tuple[str | None, bool]:
        """Id of the library, and whether its index was there. The id is None until one is given or made."""
        library_id, seen = self._redis.hmget(self._key, "library", "seen")
        return _text(library_id) or None, _text(seen) == "1"

    def store_library_id(self, library_id: str, *, is_seen: bool) -> None:
        """Stores the id before an index is created for it, so that it is found again after an interrupted start."""
        self._redis.hset(self._key, mapping={"library": library_id, "seen": "1" if is_seen else ""})

    def store_rules(self, rules: str) -> None:
        """Stores the rules of the library, as JSON: the producer owns them."""
        self._redis.hset(self._key, "rules", rules)

    def rules(self) -> str | None:
        """The rules of the library as JSON; None until a producer stored them."""
        return _text(self._redis.hget(self._key, "rules")) or None

    def report_change(self, why: str, *, recreated: bool) -> None:
        """Tells the producer that the index may have lost entries, or all of them if it was recreated."""
        flag, now = "1" if recreated else "", str(self._unix_s())
        self._redis.hset(self._key, mapping={"epoch": uuid4().hex, "why": why, "anew": flag, "changed_at": now})

    def report_undone(self, why: str) -> None:
        """Tells the producer that something was left to the next scan, which had better not wait for a day."""
        self._redis.hset(self._key, mapping={"undone": uuid4().hex, "undone_why": why})

    def report_trouble(self, sentence: str) -> None:
        """Reports for some seconds why nothing is written; an empty sentence ends the report."""
        if sentence:
            self._redis.set(f"{self._key}:trouble", sentence, ex=TROUBLE_S)
        else:
            self._redis.delete(f"{self._key}:trouble")

    def report_unavailable(self) -> None:
        """Records since when the store does not answer."""
        self._redis.set(f"{self._key}:away", str(self._unix_s()), nx=True, ex=AWAY_KEPT_S)

    def away_question(self) -> Question[str]:
        """Asks since when the store does not answer, as workers found that look once in a while; empty if it does."""
        return Question(("GET", f"{self._key}:away"), _text)

    def is_available_again(self, notable_s: float) -> bool:
        """Whether the store answers again after so long, its index not created since. True for one caller only."""
        since_s = _text(self._redis.getdel(f"{self._key}:away"))
        if not since_s or self._unix_s() - float(since_s) <= notable_s:
            return False
        return float(_text(self._redis.hget(self._key, "changed_at")) or 0) < float(since_s)

    def acquire_turn(self, for_s: float) -> bool:
        """Whether the caller is the worker that checks the store in these seconds."""
        return bool(self._redis.set(f"{self._key}:look", "1", nx=True, px=max(1, int(for_s * 1000))))

    @contextmanager
    def creation_lock(self) -> Iterator[bool]:
        """Whether the caller is the worker that creates the index. Waits up to 15 s for another one."""
        lock = self._redis.lock(f"{self._key}:making", timeout=CREATING_S)
        is_ours = lock.acquire(blocking_timeout=CREATING_S)
        try:
            yield is_ours
        finally:
            if is_ours:
                # The lock expired meanwhile.
                with suppress(LockError):
                    lock.release()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def index_report(found: Mapping[str, Any]) -> IndexReport:
    """The report in the answers to the questions of `IndexState`."""
    epoch, why, anew, undone, undone_why = found["index"]
    return IndexReport(_text(epoch), _text(why), _text(anew) == "1", found["trouble"], _text(undone), _text(undone_why))
