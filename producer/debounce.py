"""Decides which files have settled. Independent of clock and disk: the caller passes time and file versions."""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

from lookalike.library.version import FileVersion

# A program that closes a file or moves it in has probably finished; a fifth of the wait still catches one more write.
CLOSED_SHARE = 0.2
# About 40 MB. Beyond that a scan finds the changes; it keeps no list of files.
MAX_PATHS = 100_000
# A file that has not settled for so long is named in the report, if so few are waiting that looking takes no time.
RESTLESS_S = 10.0
MAX_RESTLESS = 1000


class Settled(NamedTuple):
    """A settled file, and its former names that are not published yet."""

    path: str
    version: FileVersion
    gone: tuple[str, ...]


@dataclass(slots=True)
class _Waiting:
    version: FileVersion
    since_s: float
    wait_s: float
    gone: tuple[str, ...]
    first_s: float
    # Time of its earliest entry in the heap; infinity if it has none.
    heap_s: float = float("inf")

    @property
    def due_s(self) -> float:
        return self.since_s + self.wait_s


class Debouncer:
    """Files whose version has to stay the same for `settle_s` before they are published."""

    def __init__(self, settle_s: float, max_paths: int = MAX_PATHS) -> None:
        self._settle_s = settle_s
        self._max_paths = max_paths
        self._waiting: dict[str, _Waiting] = {}
        # A heap of (time, path). A path whose wait was extended is popped too early and pushed again.
        self._by_due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: str) -> bool:
        return path in self._waiting

    def observe(
        self, path: str, version: FileVersion, now_s: float, *, closed: bool = False, gone: tuple[str, ...] = ()
    ) -> bool:
        """Starts or updates the wait of a file that is `version` now; False if there are too many files already."""
        wait_s = self._settle_s * (CLOSED_SHARE if closed else 1.0)
        waiting = self._waiting.get(path)
        if waiting is None:
            if len(self._waiting) >= self._max_paths:
                return False
            waiting = _Waiting(version, now_s, wait_s, gone, now_s)
            self._waiting[path] = waiting
        elif waiting.version == version:
            waiting.wait_s = min(waiting.wait_s, wait_s)
            waiting.gone = _without_duplicates(waiting.gone, gone)
        else:
            waiting.version, waiting.since_s, waiting.wait_s = version, now_s, wait_s
            waiting.gone = _without_duplicates(waiting.gone, gone)
        self._plan(path, waiting)
        return True

    def restless(self, now_s: float) -> tuple[str, float]:
        """The file that has been changing for the longest and for how many seconds; "" if none for RESTLESS_S."""
        if not 0 < len(self._waiting) <= MAX_RESTLESS:
            return "", 0.0
        path = min(self._waiting, key=lambda path: self._waiting[path].first_s)
        for_s = now_s - self._waiting[path].first_s
        return (path, for_s) if for_s >= RESTLESS_S else ("", 0.0)

    def discard(self, path: str) -> tuple[str, ...]:
        """Ends the wait of a file that was deleted or renamed; returns its former names."""
        waiting = self._waiting.pop(path, None)
        return () if waiting is None else waiting.gone

    def due(self, now_s: float) -> list[str]:
        """Files whose wait is over. Call `confirm` for each with its present version."""
        paths: dict[str, None] = {}
        while self._by_due and self._by_due[0][0] <= now_s:
            _, path = heapq.heappop(self._by_due)
            waiting = self._waiting.get(path)
            if waiting is None:
                continue
            waiting.heap_s = float("inf")
            if waiting.due_s <= now_s:
                paths[path] = None
            else:
                self._plan(path, waiting)
        return list(paths)

    def confirm(self, path: str, version: FileVersion, now_s: float) -> Settled | None:
        """The settled file if its version is unchanged; otherwise None, and the whole wait starts again."""
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if waiting.version == version:
            del self._waiting[path]
            return Settled(path, version, tuple(old for old in waiting.gone if old != path))
        waiting.version, waiting.since_s, waiting.wait_s = version, now_s, self._settle_s
        self._plan(path, waiting)
        return None

    def _plan(self, path: str, waiting: _Waiting) -> None:
        """Keeps one entry in the heap for each file, however many events there are."""
        if waiting.due_s < waiting.heap_s:
            waiting.heap_s = waiting.due_s
            heapq.heappush(self._by_due, (waiting.due_s, path))


def _without_duplicates(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))
