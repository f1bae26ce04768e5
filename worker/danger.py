"""Remembers over a process's death what it was opening, so that an image that kills workers does it only twice.

    <name>:danger:<task id>   string  how often a process entered the decoders with this task and never came out

Only decoding and embedding count: a process that was stopped while it waited for the store blames nobody. A
task with several paths that killed a process is split into tasks of one path each; a path is blamed only if
its process died twice while it was alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from lookalike.names import Names

DEATHS_TO_BLAME = 2
KEPT_S = 24 * 3600


class Danger:
    """Counts the deaths of processes, a task at a time."""

    def __init__(self, redis: Redis, names: Names) -> None:
        self._redis = redis
        self._names = names

    def deaths(self, task_id: str) -> int:
        """How many processes died in the decoders with this task."""
        return int(self._redis.get(self._key(task_id)) or 0)

    @contextmanager
    def entered(self, task_id: str) -> Iterator[None]:
        """Marks the task while the block runs; whoever dies in it leaves the mark."""
        key = self._key(task_id)
        with self._redis.pipeline() as pipe:
            pipe.incr(key)
            pipe.expire(key, KEPT_S)
            pipe.execute()
        try:
            yield
        except Exception:
            self._redis.decr(key)
            raise
        # Not on SystemExit: that is how Celery ends a process that hangs, before it kills it.
        self._redis.decr(key)

    def forget(self, task_id: str) -> None:
        """The task ended; its marks are of no use any more."""
        self._redis.delete(self._key(task_id))

    def _key(self, task_id: str) -> str:
        return f"{self._names.system}:danger:{task_id}"
