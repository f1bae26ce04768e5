"""Reads the next few files while one is worked on: a request to a distant bucket is mostly waiting."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Generic, TypeVar

# Each waits for the network; together they hold at most so many files.
THREADS = 8
# A larger file is read when it is its turn, alone.
MOST_BYTES = 4 * 2**20

Read = TypeVar("Read")


class ReadAhead(Generic[Read]):
    """Calls `read` for the expected paths in threads, in their order; one user. To be made after a fork."""

    def __init__(self, read: Callable[[str], Read], *, threads: int = THREADS) -> None:
        self._read = read
        self._threads = threads
        self._waiting: deque[str] = deque()
        # Read, or being read, and not taken.
        self._begun: dict[str, Future[Read]] = {}

    def expect(self, paths: Iterable[str]) -> None:
        """Begins to read these, at most `threads` until one is taken; what was expected before is dropped."""
        for future in self._begun.values():
            future.cancel()
        self._begun.clear()
        self._waiting = deque(paths)
        self._begin()

    def take(self, path: str) -> Read:
        """What `read` returns for this path, read ahead or now. Raises what it raises."""
        future = self._begun.pop(path, None)
        self._begin()
        return self._read(path) if future is None else future.result()

    def all(self, paths: Iterable[str]) -> list[Read]:
        """What `read` returns for each of these, in their order. Raises the first error."""
        return list(self._pool.map(self._read, paths))

    def _begin(self) -> None:
        while self._waiting and len(self._begun) < self._threads:
            path = self._waiting.popleft()
            self._begun[path] = self._pool.submit(self._read, path)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, "read-ahead")
