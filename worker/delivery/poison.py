"""Finds poison messages: remembers over a crash what a process was decoding, so that an image kills only two.

    <name>:danger:<task id>   hash  process -> Unix time at which it entered the decoders; removed when it leaves them

Only decoding and embedding count: a process that was stopped while it waited for the store blames no path. A
task with several paths that killed a process is split into tasks of one path each; a path is blamed only if
two processes died while it was the only path of their task. A live process is no death: the broker delivers a
task again when the connection breaks, though its worker still works on it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from redis import Redis

from lookalike.redis_keys import Keys
from worker.delivery.liveness import is_alive, this_process

DEATHS_TO_BLAME = 2
KEPT_S = 24 * 3600


class Marks(NamedTuple):
    """Processes that entered the decoders with a task and did not leave them."""

    dead: int
    living: int


class PoisonDetector:
    """Counts the processes that died over a task. The decode timeout ends one after `longest_s` with a single path."""

    def __init__(self, redis: Redis, keys: Keys, *, longest_s: float, unix_s: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._keys = keys
        self._longest_s = longest_s
        self._unix_s = unix_s
        # Keys where this process may have left a mark, because the broker did not answer.
        self._left: set[str] = set()

    def crash_marks(self, task_id: str, *, alone: bool) -> Marks:
        """Processes that are or were in the decoders with this task; `alone` if it has one path.

        Whether a process of another machine is alive cannot be told here. With one path it counts as dead when the
        decode timeout would have ended it. With several it does at once: splitting a task that is being done costs
        one look at each file.
        """
        # Otherwise this process would wait for itself for as long as it lives.
        for key in list(self._left):
            self._remove_mark(key)
        kept: dict[bytes, bytes] = self._redis.hgetall(self._key(task_id))  # type: ignore[assignment]
        longest_s = self._longest_s if alone else 0.0
        living = sum(
            self._counts_as_alive(process.decode(), float(since_s), longest_s) for process, since_s in kept.items()
        )
        return Marks(dead=len(kept) - living, living=living)

    @contextmanager
    def guard(self, task_id: str) -> Iterator[None]:
        """Marks the task while the block runs; a process that dies in the block leaves the mark."""
        key = self._key(task_id)
        self._left.add(key)
        with self._redis.pipeline() as pipe:
            pipe.hset(key, this_process(), str(self._unix_s()))
            pipe.expire(key, KEPT_S)
            pipe.execute()
        self._left.discard(key)
        try:
            yield
        except Exception:
            self._remove_mark(key)
            raise
        # Not on SystemExit: that is how Celery ends a process that hangs, before it kills it.
        self._remove_mark(key)

    def clear(self, task_id: str) -> None:
        """Removes the marks of a task that ended."""
        self._redis.delete(self._key(task_id))

    def _remove_mark(self, key: str) -> None:
        self._left.add(key)
        self._redis.hdel(key, this_process())
        self._left.discard(key)

    def _counts_as_alive(self, process: str, since_s: float, longest_s: float) -> bool:
        living = is_alive(process)
        return self._unix_s() - since_s < longest_s if living is None else living

    def _key(self, task_id: str) -> str:
        return f"{self._keys.system}:danger:{task_id}"
