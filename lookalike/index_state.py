"""What workers and producer tell each other about the index, through the broker.

    <name>:index           hash    library: its id; seen: "1" if its index was there;
                                   epoch: another one since the index may have lost something; why: what happened then;
                                   anew: "1" if it was made anew in a running system; changed_at: Unix time of that
    <name>:index:trouble   string  why nothing is written, expires: what a person has to mend
    <name>:index:away      string  Unix time since which the store does not answer, expires
    <name>:index:look      string  "1", expires: somebody looks at the store in these seconds
    <name>:index:making    string  a lock, expires: somebody makes the index

What is lost here with the broker is found again: the index says whose it is, and the producer compares anew.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from redis import Redis
from redis.exceptions import LockError

from lookalike.redis_keys import Keys

# Three looks that did not come.
TROUBLE_S = 16
AWAY_KEPT_S = 3600
# Making takes a second or two, ten on a very busy machine. Two who make it at once get in no harm's way.
MAKING_S = 15.0


@dataclass(frozen=True)
class IndexReport:
    """What is known; all empty if nothing is."""

    epoch: str = ""
    why: str = ""
    is_anew: bool = False
    trouble: str = ""


class IndexState:
    """Reads and writes the notes of one system. Every method raises RedisError if the broker does not answer."""

    def __init__(self, redis: Redis, names: Keys, unix_s: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._key = f"{names.system}:index"
        self._unix_s = unix_s

    def read(self) -> IndexReport:
        """What there is to know for whoever compares the library with the index."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self._key, "epoch", "why", "anew")
            pipe.get(f"{self._key}:trouble")
            (epoch, why, anew), trouble = pipe.execute()
        return IndexReport(_text(epoch), _text(why), _text(anew) == "1", _text(trouble))

    def library(self) -> tuple[str | None, bool]:
        """Id of the library, and whether its index was there. Nobody may have an id, where no setting gives one."""
        library_id, seen = self._redis.hmget(self._key, "library", "seen")
        return _text(library_id) or None, _text(seen) == "1"

    def keep_library(self, library_id: str, *, is_seen: bool) -> None:
        """Writes the id down: before an index of it is made, so that a start that is cut off finds it again."""
        self._redis.hset(self._key, mapping={"library": library_id, "seen": "1" if is_seen else ""})

    def changed(self, why: str, *, anew: bool) -> None:
        """Tells the producer that the index may have lost something, or all if it was made anew."""
        flag, now = "1" if anew else "", str(self._unix_s())
        self._redis.hset(self._key, mapping={"epoch": uuid4().hex, "why": why, "anew": flag, "changed_at": now})

    def trouble(self, sentence: str) -> None:
        """Says for some seconds why nothing is written; nothing if all is well."""
        if sentence:
            self._redis.set(f"{self._key}:trouble", sentence, ex=TROUBLE_S)
        else:
            self._redis.delete(f"{self._key}:trouble")

    def away(self) -> None:
        """The store does not answer."""
        self._redis.set(f"{self._key}:away", str(self._unix_s()), nx=True, ex=AWAY_KEPT_S)

    def is_back(self, notable_s: float) -> bool:
        """Whether it answers again after so long, and the index was not made since. Told to the first who asks."""
        since_s = _text(self._redis.getdel(f"{self._key}:away"))
        if not since_s or self._unix_s() - float(since_s) <= notable_s:
            return False
        return float(_text(self._redis.hget(self._key, "changed_at")) or 0) < float(since_s)

    def take_turn(self, for_s: float) -> bool:
        """Whether the caller is the one that looks at the store in these seconds."""
        return bool(self._redis.set(f"{self._key}:look", "1", nx=True, px=max(1, int(for_s * 1000))))

    @contextmanager
    def making(self) -> Iterator[bool]:
        """Whether the caller is the one that makes the index. Waits for another one, but not for long."""
        lock = self._redis.lock(f"{self._key}:making", timeout=MAKING_S)
        is_ours = lock.acquire(blocking_timeout=MAKING_S)
        try:
            yield is_ours
        finally:
            if is_ours:
                # It expired meanwhile.
                with suppress(LockError):
                    lock.release()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
