"""Which files are at rest: nobody writes to them any more. Knows no clock and no disk, both are told to it."""

import heapq
from dataclasses import dataclass
from typing import NamedTuple

from lookalike.library.folder import FileVersion

# Who closes a file or moves it in is most likely done; a fifth of the wait still catches a second write.
CLOSED_SHARE = 0.2
# About 40 MB; beyond it a scan does the work, which keeps no list.
MOST_PATHS = 100_000


class Settled(NamedTuple):
    """A file at rest, and the names that it had before and nobody has been told about."""

    path: str
    stamp: FileVersion
    gone: tuple[str, ...]


@dataclass(slots=True)
class _Resting:
    stamp: FileVersion
    since_s: float
    wait_s: float
    gone: tuple[str, ...]
    # When it is looked at next, at the latest; infinity if it is not in the heap.
    look_s: float = float("inf")

    @property
    def due_s(self) -> float:
        return self.since_s + self.wait_s


class Debouncer:
    """Files whose size and mtime have to stay the same for `settle_s` before anybody reads them."""

    def __init__(self, settle_s: float, most_paths: int = MOST_PATHS) -> None:
        self._settle_s = settle_s
        self._most_paths = most_paths
        self._resting: dict[str, _Resting] = {}
        # When to look at a path. What was put off since is looked at too early and put in again.
        self._by_due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._resting)

    def __contains__(self, path: str) -> bool:
        return path in self._resting

    def observe(
        self, path: str, stamp: FileVersion, now_s: float, *, closed: bool = False, gone: tuple[str, ...] = ()
    ) -> bool:
        """Begins or goes on watching a file that is `stamp` now; False if there are too many already."""
        wait_s = self._settle_s * (CLOSED_SHARE if closed else 1.0)
        resting = self._resting.get(path)
        if resting is None:
            if len(self._resting) >= self._most_paths:
                return False
            resting = _Resting(stamp, now_s, wait_s, gone)
            self._resting[path] = resting
        elif resting.stamp == stamp:
            resting.wait_s = min(resting.wait_s, wait_s)
            resting.gone = _merged(resting.gone, gone)
        else:
            resting.stamp, resting.since_s, resting.wait_s = stamp, now_s, wait_s
            resting.gone = _merged(resting.gone, gone)
        self._plan(path, resting)
        return True

    def forget(self, path: str) -> tuple[str, ...]:
        """Stops watching a file that left or is called otherwise; returns the names it had before."""
        resting = self._resting.pop(path, None)
        return () if resting is None else resting.gone

    def due(self, now_s: float) -> list[str]:
        """Files that were at rest long enough if they are still as they were; answer each with `looked`."""
        paths: dict[str, None] = {}
        while self._by_due and self._by_due[0][0] <= now_s:
            _, path = heapq.heappop(self._by_due)
            resting = self._resting.get(path)
            if resting is None:
                continue
            resting.look_s = float("inf")
            if resting.due_s <= now_s:
                paths[path] = None
            else:
                self._plan(path, resting)
        return list(paths)

    def confirm(self, path: str, stamp: FileVersion, now_s: float) -> Settled | None:
        """Tells what a due file is now. It is at rest and leaves, or somebody wrote and it waits the whole time."""
        resting = self._resting.get(path)
        if resting is None:
            return None
        if resting.stamp == stamp:
            del self._resting[path]
            return Settled(path, stamp, tuple(old for old in resting.gone if old != path))
        resting.stamp, resting.since_s, resting.wait_s = stamp, now_s, self._settle_s
        self._plan(path, resting)
        return None

    def _plan(self, path: str, resting: _Resting) -> None:
        """One look at a time is enough, however many events there are."""
        if resting.due_s < resting.look_s:
            resting.look_s = resting.due_s
            heapq.heappush(self._by_due, (resting.due_s, path))


def _merged(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *more)))
