"""Runs scans: at start, after a pause, and on request. Holds the state that `lookalike status` shows."""

import threading
import time
from collections.abc import Callable

from lookalike.errors import Misconfigured
from lookalike.library.folder import EMPTY, FolderLibrary
from lookalike.library.rules import Candidates
from lookalike.log import get_logger
from lookalike.messages import CountsReply
from producer.file_counter import FileCounter
from producer.index_client import IndexClient
from producer.publisher import ScanPublisher
from producer.scan import LibraryOffline, Scan, ScanSuperseded
from producer.shutdown import check
from producer.watcher import Watcher

log = get_logger(__name__)

OFFLINE_RETRY_S = 3.0
# A scan takes a tenth of the time at most.
PAUSE_SHARE = 10.0
# A first scan of a million files lasts for hours, because it waits for the workers. Events lost meanwhile must not
# wait as long; comparing again takes a minute at a million files (60 microseconds for each, 2 busy cores).
SUPERSEDED_AFTER_S = 600.0

STARTING, COUNTING, COMPARING, WATCHING, OFFLINE = "starting", "counting", "comparing", "watching", "offline"


def pause_s(rescan_s: float, scan_s: float) -> float:
    """Seconds until the next scan: the setting, but at least ten times what the last one worked."""
    return max(rescan_s, PAUSE_SHARE * scan_s)


def is_superseded(scan_s: float, *, requested: bool) -> bool:
    """Whether a scan that has run this long should restart because another was requested."""
    return requested and scan_s > SUPERSEDED_AFTER_S


class ScanScheduler:
    """Runs scans in a thread of its own; the event loop reads its attributes."""

    def __init__(
        self,
        *,
        library: FolderLibrary,
        index: IndexClient,
        scan_publisher: ScanPublisher,
        watcher: Watcher,
        counter: FileCounter,
        new_scan: Callable[[], Scan],
        new_rules: Callable[[], Candidates],
        stop: threading.Event,
        rescan_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library = library
        self._index = index
        self._scan_publisher = scan_publisher
        self._watcher = watcher
        self._counter = counter
        self._new_scan = new_scan
        self._new_rules = new_rules
        self._stop = stop
        self._rescan_s = rescan_s
        self._now_s = now_s
        self._requested = threading.Event()
        self._begun_s = 0.0
        self._phase = STARTING
        # The id of the library in the index; None until the index answered once.
        self.library_id: str | None = None
        self.ended_at_unix_s = 0.0
        # Why the library is unavailable; empty if it is available.
        self.offline = ""
        self.warning = ""
        self._rules_warning = ""

    @property
    def state(self) -> str:
        """The state in the report; a requested scan counts as begun."""
        if self.offline:
            return OFFLINE
        return COUNTING if self._phase == WATCHING and self._requested.is_set() else self._phase

    def request_scan(self, reason: str) -> None:
        """Requests a scan; it begins when the running one has ended."""
        if not self._requested.is_set():
            log.info("scan requested", reason=reason)
        self._requested.set()

    def wake(self) -> None:
        """Interrupts the wait, so that the thread sees that the producer ends."""
        self._requested.set()

    @property
    def is_superseded(self) -> bool:
        """Whether the running scan should restart."""
        return is_superseded(self._now_s() - self._begun_s, requested=self._requested.is_set())

    def run_scans(self) -> None:
        """Scans until the producer ends. Raises Stopped."""
        while True:
            check(self._stop)
            self._requested.clear()
            self._begun_s, waited_s = self._now_s(), self._scan_publisher.waited_s
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
                worked_s = self._now_s() - self._begun_s - (self._scan_publisher.waited_s - waited_s)
                wait_s = pause_s(self._rescan_s, worked_s)
            self._wait(wait_s)

    def _scan(self) -> None:
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        if not self.offline:
            self._phase = COUNTING
        # Watch first: events report what changes while the scan compares.
        if not self._watcher.ensure_watching():
            self._watcher.restore_watches()
        self._read_rules()
        scan = self._new_scan()
        self._counter.count_files()
        if not self.offline:
            self._phase = COMPARING
        counts = self._counts()
        scan.compare(counts)
        if self.offline:
            log.info("library is back")
        self.offline = ""
        self.warning = " ".join(filter(None, (self._rules_warning, scan.warning)))
        self._phase = WATCHING
        self.ended_at_unix_s = time.time()
        if scan.is_partial:
            self.request_scan("more files to remove than one scan keeps in memory")

    def _read_rules(self) -> None:
        """Takes the rules as they are now; rules that cannot work leave those from before in force."""
        try:
            rules = self._new_rules()
        except Misconfigured as error:
            self._rules_warning = f"{error} Until then the rules from before stay in force."
            return
        self._rules_warning = ""
        if rules != self._library.candidates:
            log.info("rules changed", digest=rules.digest)
            self._library.candidates = rules

    def _counts(self) -> CountsReply:
        counts = self._index.counts()
        self.library_id = counts.library
        return counts

    def _go_offline(self, reason: str) -> None:
        if not self.offline:
            log.warning("library offline, nothing is removed", library=str(self._library.root), reason=reason)
        self.offline = reason

    def _wait(self, wait_s: float) -> None:
        until_s = self._now_s() + wait_s
        while not self._stop.is_set() and (left_s := until_s - self._now_s()) > 0:
            if self._requested.wait(min(left_s, 0.5)):
                return
