"""Runs scans: at start, after a pause, and on request."""

import threading
import time
from collections.abc import Callable

from lookalike.errors import Misconfigured
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import EMPTY
from lookalike.library.kinds import Library
from lookalike.library.rules import Candidates
from lookalike.log import get_logger
from producer.publishing.publisher import ScanPublisher
from producer.scanning.file_counter import FileCounter
from producer.scanning.index_client import IndexClient
from producer.scanning.library_state import COMPARING, COUNTING, LibraryState
from producer.scanning.scan import Scan, ScanSuperseded
from producer.scanning.scan_requests import ScanRequests
from producer.scanning.schedule import Schedule
from producer.shutdown import check
from producer.watching.following import Following

log = get_logger(__name__)

OFFLINE_RETRY_S = 3.0


class ScanScheduler:
    """Runs scans in a thread of its own, and keeps the library's state."""

    def __init__(
        self,
        *,
        library: Library,
        index: IndexClient,
        scan_publisher: ScanPublisher,
        watcher: Following,
        counter: FileCounter,
        new_scan: Callable[[], Scan],
        new_rules: Callable[[], Candidates],
        scan_requests: ScanRequests,
        library_state: LibraryState,
        stop: threading.Event,
        schedule: Schedule,
        settle_s: float,
        now_s: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._index = index
        self._scan_publisher = scan_publisher
        self._watcher = watcher
        self._counter = counter
        self._new_scan = new_scan
        self._new_rules = new_rules
        self._stop = stop
        self._schedule = schedule
        # Scans in a row that found something to do.
        self._in_vain = 0
        self._settle_s = settle_s
        self._now_s = now_s
        self._unix_s = unix_s
        self._scan_requests = scan_requests
        self._state = library_state
        self._rules_warning = ""

    def run_scans(self) -> None:
        """Scans until the producer ends. Raises Stopped."""
        while True:
            check(self._stop)
            self._scan_requests.take()
            begun_s, waited_s = self._now_s(), self._scan_publisher.waited_s
            try:
                self._scan()
            except LibraryOffline as reason:
                self._scan_publisher.discard_unsent()
                self._go_offline(str(reason))
                wait_s = OFFLINE_RETRY_S
            except ScanSuperseded:
                log.info("scan superseded, restarting")
                self._scan_publisher.discard_unsent()
                wait_s = 0.0
            else:
                worked_s = self._now_s() - begun_s - (self._scan_publisher.waited_s - waited_s)
                wait_s = self._pause_s(worked_s)
            self._wait(wait_s)

    def _scan(self) -> None:
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        self._state.enter(COUNTING)
        # Watch first: events report what changes while the scan compares.
        if not self._watcher.ensure_watching():
            self._watcher.restore_watches()
        self._read_rules()
        scan = self._new_scan()
        self._counter.count_files()
        self._state.enter(COMPARING)
        counts = self._index.counts()
        self._state.answered(counts.library)
        scan.compare(counts)
        self._in_vain = self._in_vain + 1 if any(scan.differences) else 0
        warning = " ".join(filter(None, (self._rules_warning, scan.warning, self._library.partial_absence())))
        if self._state.scan_ended(warning, scan.differences):
            log.info("library is back")
        if scan.is_partial:
            self._scan_requests.request("more files to remove than one scan keeps in memory")

    def _read_rules(self) -> None:
        """Takes the rules as they are now; rules that cannot work leave those from before in force.

        So do those of a file that has not settled: another scan is requested when it has.
        """
        versions = [self._library.stat(path) for path in self._library.ignore_files]
        now_s = self._unix_s()
        if any(found is not None and 0 <= now_s - found.mtime_ns / 1e9 < self._settle_s for found in versions):
            return
        try:
            rules = self._new_rules()
        except Misconfigured as error:
            self._rules_warning = f"{error} Until then the rules from before stay in force."
            return
        self._rules_warning = ""
        if rules != self._library.candidates:
            log.info("rules changed", digest=rules.digest)
            self._library.candidates = rules

    def _go_offline(self, reason: str) -> None:
        if self._state.go_offline(reason):
            log.warning("library offline, nothing is removed", library=str(self._library.root), reason=reason)

    def _pause_s(self, worked_s: float) -> float:
        return self._schedule.pause_s(worked_s, events_are_complete=self._watcher.is_complete, in_vain=self._in_vain)

    def _wait(self, wait_s: float) -> None:
        """Waits so long, or shorter: until a scan is requested, and some minutes after one is wanted soon."""
        until_s = self._now_s() + wait_s
        while not self._stop.is_set() and not self._scan_requests.is_pending:
            left_s = until_s - self._now_s()
            if left_s <= 0:
                return
            self._scan_requests.wait(left_s)
            if self._scan_requests.take_soon():
                self._in_vain = max(1, self._in_vain)
                until_s = min(until_s, self._now_s() + self._pause_s(0.0))
