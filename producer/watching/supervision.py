"""Keeps watching alive: looks after library, mounts, clock and watcher until the producer ends.

While events are complete it waits for the kernel to tell of a change and does not look at the library at all; that the
watcher lives is proven by an event of its own (`Watcher.pulse`). Else it looks once a second.
"""

import sys
import threading
from collections.abc import Callable

from lookalike.library.folder import EMPTY, FolderLibrary
from lookalike.log import get_logger
from producer.shutdown import check
from producer.watching.clock_jumps import ClockJumps
from producer.watching.mounts import mounted_below
from producer.watching.watcher import Watcher

if sys.platform == "linux":
    from producer.watching.surroundings import Surroundings

log = get_logger(__name__)

LIBRARY_POLL_S = 1.0
PULSE_EVERY_S = 60.0


class Supervision:
    """`run` is a thread of its own."""

    def __init__(
        self,
        library: FolderLibrary,
        watcher: Watcher,
        *,
        request_scan: Callable[[str], None],
        request_soon: Callable[[str], None],
        stop: threading.Event,
        clock: ClockJumps | None = None,
        pulse_every_s: float = PULSE_EVERY_S,
    ) -> None:
        self._library = library
        self._watcher = watcher
        self._request_scan = request_scan
        self._request_soon = request_soon
        self._stop = stop
        self._clock = clock or ClockJumps()
        self._pulse_every_s = pulse_every_s
        self._absence = library.absence()
        self._mounted = mounted_below(library.root)
        self._surroundings = self._new_surroundings()
        # Whether the kernel tells of changes, so that nothing needs to be looked at.
        self.is_told = False

    def run(self) -> None:
        """Raises Stopped when the producer ends."""
        try:
            while True:
                has_happened = self._wait()
                check(self._stop)
                if reason := self._clock.seen():
                    self._request_scan(reason)
                if has_happened:
                    self._look()
                else:
                    self._prove_watching()
        finally:
            if self._surroundings is not None:
                self._surroundings.close()

    def wake(self) -> None:
        """Interrupts the wait, so that the thread sees that the producer ends."""
        if self._surroundings is not None:
            self._surroundings.wake()

    def _wait(self) -> bool:
        """Waits; whether the library has to be looked at."""
        if self._surroundings is None or not self.is_told:
            self._stop.wait(LIBRARY_POLL_S)
            return True
        return self._surroundings.wait(self._pulse_every_s)

    def _look(self) -> None:
        self.is_told = self._surroundings is not None and self._watcher.is_complete
        if self._surroundings is not None and self.is_told:
            # Before the look, so that nothing happens between them.
            self._surroundings.watch()
        mounted = mounted_below(self._library.root)
        if mounted - self._mounted:
            self._request_scan("a disk was mounted in the library")
        elif self._mounted - mounted:
            # Its files can wait: it may be back by then.
            self._request_soon("a disk was unmounted in the library")
        self._mounted = mounted
        absence = self._library.absence()
        if absence != self._absence:
            self._absence = absence
            self._request_scan(f"the library {absence}" if absence is not None else "the library is available")
        if absence not in (None, EMPTY):
            # Its return is reported nowhere.
            self.is_told = False
        elif self._watcher.ensure_watching():
            self._request_scan(f"watching restarted with {self._watcher.watching}")

    def _prove_watching(self) -> None:
        if not self._watcher.pulse():
            log.warning("the watcher did not answer")
            self._watcher.stop()
            self._look()

    def _new_surroundings(self) -> "Surroundings | None":
        if sys.platform != "linux":
            return None
        try:
            return Surroundings(self._library.root)
        except OSError as error:
            log.warning("the library is looked at once a second", why=str(error))
            return None
