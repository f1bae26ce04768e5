"""Remembers over a process's death what it was opening, so that an image that kills workers does it only twice.

    <name>:danger:<task id>   hash  process -> Unix time at which it entered the decoders; it came not out of them yet

Only decoding and embedding count: a process that was stopped while it waited for the store blames nobody. A
task with several paths that killed a process is split into tasks of one path each; a path is blamed only if
two processes died while they were alone with it. A process that lives is no death: the broker delivers a task
again when the connection breaks, though its worker still works on it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from redis import Redis

from lookalike.redis_keys import Keys
from worker.lives import lives, this_process

DEATHS_TO_BLAME = 2
KEPT_S = 24 * 3600


class Marks(NamedTuple):
    """Processes that entered the decoders with a task and did not come out."""

    dead: int
    living: int


class PoisonDetector:
    """Tells how many processes died over a task; the watchdog ends who is in there with one path for `longest_s`."""

    def __init__(self, redis: Redis, keys: Keys, *, longest_s: float, unix_s: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._keys = keys
        self._longest_s = longest_s
        self._unix_s = unix_s

    def crash_marks(self, task_id: str, *, alone: bool) -> Marks:
        """Who is or was in the decoders with this task; `alone` if it has one path.

        Whether a process of another machine lives nobody can tell here. With one path it counts as dead when its
        watchdog would have ended it. With several it does at once: to split what is being done costs a look.
        """
        kept: dict[bytes, bytes] = self._redis.hgetall(self._key(task_id))  # type: ignore[assignment]
        longest_s = self._longest_s if alone else 0.0
        living = sum(self._lives(process.decode(), float(since_s), longest_s) for process, since_s in kept.items())
        return Marks(dead=len(kept) - living, living=living)

    @contextmanager
    def guard(self, task_id: str) -> Iterator[None]:
        """Marks the task while the block runs; whoever dies in it leaves the mark."""
        key, process = self._key(task_id), this_process()
        with self._redis.pipeline() as pipe:
            pipe.hset(key, process, str(self._unix_s()))
            pipe.expire(key, KEPT_S)
            pipe.execute()
        try:
            yield
        except Exception:
            self._redis.hdel(key, process)
            raise
        # Not on SystemExit: that is how Celery ends a process that hangs, before it kills it.
        self._redis.hdel(key, process)

    def clear(self, task_id: str) -> None:
        """The task ended; its marks are of no use any more."""
        self._redis.delete(self._key(task_id))

    def _lives(self, process: str, since_s: float, longest_s: float) -> bool:
        living = lives(process)
        return self._unix_s() - since_s < longest_s if living is None else living

    def _key(self, task_id: str) -> str:
        return f"{self._keys.system}:danger:{task_id}"
