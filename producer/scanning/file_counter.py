"""Counts the files of the library: at once for a scan, and again after events that may change their number."""

import threading
import time
from collections.abc import Callable

from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import Count
from producer.shutdown import Stopped, sleep

# A burst of events leads to one count, when it is over or has lasted this long.
QUIET_S = 0.2
LONGEST_QUIET_S = 2.0
# Counting takes a tenth of the time at most: 5 s at a million files are followed by 50 s of rest.
PAUSE_SHARE = 10.0


class FileCounter:
    """The number of files, exact whenever `is_due` is False, in constant memory. Several threads use it."""

    def __init__(
        self,
        count: Callable[[Callable[[], bool]], Count | None],
        may_count: Callable[[], bool],
        stop: threading.Event,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._may_count = may_count
        self._stop = stop
        self._now_s = now_s
        self._counting = threading.Lock()
        self._changed = threading.Event()
        self._changed_at_s = 0.0
        self._rest_until_s = 0.0
        self.latest = Count()

    @property
    def is_due(self) -> bool:
        """Whether the number may have changed since it was counted."""
        return self._changed.is_set() or self._counting.locked()

    def mark_changed(self) -> None:
        """Makes a count due: there may be more or fewer files than before."""
        self._changed_at_s = self._now_s()
        self._changed.set()

    def wake(self) -> None:
        """Interrupts the wait, so that the thread sees that the producer ends."""
        self._changed.set()

    def count_files(self) -> None:
        """Counts now. A change meanwhile makes another count due. Raises Stopped, LibraryOffline."""
        with self._counting:
            self._changed.clear()
            begun_s = self._now_s()
            counted = self._count(self._stop.is_set)
            if counted is None:
                raise Stopped
            # The count of a library that went offline meanwhile is wrong.
            if self._may_count():
                self.latest = counted
            ended_s = self._now_s()
            self._rest_until_s = ended_s + PAUSE_SHARE * (ended_s - begun_s)

    def count_when_due(self) -> None:
        """Counts whenever it is due, until the producer ends. Raises Stopped."""
        while True:
            self._changed.wait()
            sleep(self._stop, 0.0)
            first_s = self._now_s()
            while (now_s := self._now_s()) < max(
                self._rest_until_s, min(self._changed_at_s + QUIET_S, first_s + LONGEST_QUIET_S)
            ):
                sleep(self._stop, min(QUIET_S, max(0.01, self._rest_until_s - now_s)))
            try:
                if self._may_count():
                    self.count_files()
                    continue
            except LibraryOffline:
                pass
            # The scan after the library returned counts anyway.
            self._changed.clear()
