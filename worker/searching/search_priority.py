"""Searches go first: while one is answered, the ingest processes of the same machine pause before their next image.

Priority alone does not do it: what the other core computes takes caches and memory bandwidth whatever its priority, and
during ingest a search took 1.4 times as long (docs/decisions/0009-speed.md). A lock on a file marks a running search:
the kernel releases it when a process dies, and testing it costs two microseconds.
"""

import fcntl
import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lookalike.errors import Misconfigured

POLL_EVERY_S = 0.001
# The time for an answer to reach its client, which may send the next search at once.
NEXT_SEARCH_WITHIN_S = 0.005


class SearchPriority:
    """Priority over one lock file; without a file no process waits. Make it after fork: children share a lock.

    Raises Misconfigured if the file cannot be opened or made.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        longest_s: float,
        now_s: Callable[[], float] = time.monotonic,
        sleep_s: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            self._file = None if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(f"LOOKALIKE_SEARCH_LOCK: {path} cannot be opened ({error.strerror}).") from error
        if self._file is not None:
            weakref.finalize(self, os.close, self._file)
        self._longest_s = longest_s
        self._now_s = now_s
        self._sleep_s = sleep_s

    def acquire(self) -> None:
        """Marks the start of a search. Never waits for the lock: without it the search is only a bit slower."""
        if self._file is not None:
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def release(self) -> None:
        """Marks the end of the search."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def yield_to_search(self) -> None:
        """Waits while a search runs, for at most `longest_s`, so that a stream of searches cannot stop ingest."""
        if self._file is None:
            return
        until_s = self._now_s() + self._longest_s
        free_from_s = 0.0
        while (now_s := self._now_s()) < until_s:
            if not self._is_free(self._file):
                free_from_s = now_s + NEXT_SEARCH_WITHIN_S
            elif now_s >= free_from_s:
                return
            self._sleep_s(POLL_EVERY_S)

    @staticmethod
    def _is_free(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(file, fcntl.LOCK_UN)
        return True
