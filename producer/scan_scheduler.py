"""Decides when to scan, and says how it stands: at start, after a pause, and whenever somebody asks."""

import logging
import threading
import time
from collections.abc import Callable

from lookalike.log import fields
from lookalike.messages import CountsReply
from producer.file_counter import Counter
from producer.index_client import IndexClient
from producer.library import EMPTY, Library
from producer.publisher import ScanPublisher
from producer.scan import LibraryOffline, Scan, ScanSuperseded
from producer.shutdown import check
from producer.watcher import Watcher

log = logging.getLogger(__name__)

OFFLINE_RETRY_S = 3.0
# A scan takes a tenth of the time at most.
PAUSE_SHARE = 10.0
# A first scan of a million files lasts for hours, because it waits for the workers. What was lost meanwhile must
# not wait as long; comparing anew takes a minute at a million files (60 microseconds for each, 2 busy cores).
OVERTAKEN_S = 600.0

STARTING, COUNTING, COMPARING, WATCHING, OFFLINE = "starting", "counting", "comparing", "watching", "offline"


def pause_s(rescan_s: float, scan_s: float) -> float:
    """Seconds until the next scan: the setting, but at least ten times what the last one worked."""
    return max(rescan_s, PAUSE_SHARE * scan_s)


def is_overtaken(scan_s: float, *, asked: bool) -> bool:
    """Whether a scan that has gone on for so long should begin anew because another was asked for."""
    return asked and scan_s > OVERTAKEN_S


class ScanScheduler:
    """Scans in a thread of its own; the loop reads its attributes."""

    def __init__(
        self,
        *,
        library: Library,
        index: IndexClient,
        outlet: ScanPublisher,
        watcher: Watcher,
        counter: Counter,
        new_scan: Callable[[], Scan],
        stop: threading.Event,
        rescan_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library = library
        self._index = index
        self._outlet = outlet
        self._watcher = watcher
        self._counter = counter
        self._new_scan = new_scan
        self._stop = stop
        self._rescan_s = rescan_s
        self._now_s = now_s
        self._asked = threading.Event()
        self._begun_s = 0.0
        self._phase = STARTING
        # The identity of the library, as the index has it; None until the index answered once.
        self.library_id: str | None = None
        self.ended_at_unix_s = 0.0
        # Why the library cannot be looked at; empty if it can.
        self.offline = ""
        self.warning = ""

    @property
    def state(self) -> str:
        """What the note says; a scan that was asked for counts as begun."""
        if self.offline:
            return OFFLINE
        return COUNTING if self._phase == WATCHING and self._asked.is_set() else self._phase

    def request(self, reason: str) -> None:
        """Asks for a scan; it begins when the one that runs has ended."""
        if not self._asked.is_set():
            log.info(fields("scan requested", reason=reason))
        self._asked.set()

    def wake(self) -> None:
        """Ends its wait, so that it sees that the producer ends."""
        self._asked.set()

    @property
    def is_overtaken(self) -> bool:
        """Whether the scan that runs should begin anew."""
        return is_overtaken(self._now_s() - self._begun_s, asked=self._asked.is_set())

    def run(self) -> None:
        """Scans until the producer ends. Raises Stopped."""
        while True:
            check(self._stop)
            self._asked.clear()
            self._begun_s, waited_s = self._now_s(), self._outlet.waited_s
            try:
                self._scan()
            except LibraryOffline as reason:
                self._outlet.forget()
                self._go_offline(str(reason))
                wait_s = OFFLINE_RETRY_S
            except ScanSuperseded:
                log.info("scan begins anew")
                self._outlet.forget()
                wait_s = 0.0
            else:
                worked_s = self._now_s() - self._begun_s - (self._outlet.waited_s - waited_s)
                wait_s = pause_s(self._rescan_s, worked_s)
            self._rest(wait_s)

    def _scan(self) -> None:
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        if not self.offline:
            self._phase = COUNTING
        # Before anything is looked at: what changes from now on is told by events.
        if not self._watcher.ensure():
            self._watcher.renew()
        scan = self._new_scan()
        self._outlet.check = scan.check
        self._counter.count()
        if not self.offline:
            self._phase = COMPARING
        counts = self._counts()
        scan.compare(counts)
        if self.offline:
            log.info("library is back")
        self.offline = ""
        self.warning = scan.warning
        self._phase = WATCHING
        self.ended_at_unix_s = time.time()
        if scan.is_partial:
            self.request("there is more to remove than one scan keeps in memory")

    def _counts(self) -> CountsReply:
        counts = self._index.counts()
        self.library_id = counts.library
        return counts

    def _go_offline(self, reason: str) -> None:
        if not self.offline:
            log.warning(fields("library offline, nothing is removed", library=str(self._library.root), reason=reason))
        self.offline = reason

    def _rest(self, wait_s: float) -> None:
        until_s = self._now_s() + wait_s
        while not self._stop.is_set() and (left_s := until_s - self._now_s()) > 0:
            if self._asked.wait(min(left_s, 0.5)):
                return
