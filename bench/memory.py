"""Samples the memory of processes while a block runs. Linux only: proportional set sizes."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

# One sample takes 28 ms of a core: at two samples a second the measured rate was 3 % lower.
EVERY_S = 2.0
# Caches and pools fill at first; what counts is what happens after.
WARM_AFTER = 0.4


class Memory:
    """The samples so far, MiB: shared pages are divided among the processes that share them."""

    def __init__(self) -> None:
        self._seen: list[float] = []

    def saw(self, pids: Sequence[int]) -> None:
        """Adds one sample: the sum over all processes."""
        self._seen.append(sum(map(_mib, pids)))

    @property
    def last_mib(self) -> float:
        """At the end."""
        return self._seen[-1]

    @property
    def growth(self) -> float:
        """The last sample as a multiple of the one after warming up: 1 is flat."""
        return self._seen[-1] / self._seen[int(WARM_AFTER * len(self._seen))]


@contextmanager
def watched(processes: Callable[[], Sequence[int]]) -> Iterator[Memory]:
    """Samples at intervals while the block runs."""
    memory, done = Memory(), threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_S):
            memory.saw(processes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        done.set()
        watcher.join()
        memory.saw(processes())


def _mib(pid: int) -> float:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_full_info().pss) / 2**20
    return 0.0
