"""The event loop: handles events, debounces files, publishes batches. Never waits for a scan."""

import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from lookalike.errors import Unreachable
from lookalike.library.kinds import Library
from producer.debounce import Debouncer
from producer.publishing.batcher import Batcher, Change, split_evenly
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.publishing.publisher import LivePublisher
from producer.scanning.scan_requests import ScanRequests
from producer.status_report import Progress
from producer.watching.events import (
    Event,
    FolderAppeared,
    FolderGone,
    FolderMoved,
    Gone,
    Lost,
    Moved,
    Touched,
)
from producer.watching.folder_events import FolderExpander
from producer.watching.watcher import Inbox

# The wait for an event: short while files settle; a second is how late what other threads found is reported.
BUSY_S = 0.02
IDLE_S = 1.0
# Without room in the queues for so long, as in a pause, it is looked for seldom.
STUCK_S = 5.0
STUCK_WAIT_S = 0.25
MAX_EVENTS_PER_TURN = 1000
# Paths that wait for room in the queue. Further paths stay in the inbox and the debouncer, which are bounded.
MAX_HELD = 20_000


class EventLoop:
    """Runs in one thread; shows `report` its progress in each turn."""

    def __init__(
        self,
        *,
        library: Library,
        inbox: Inbox,
        debouncer: Debouncer,
        batcher: Batcher,
        live_publisher: LivePublisher,
        in_flight: InFlight,
        folder_expander: FolderExpander,
        broker_health: BrokerHealth,
        processes: int,
        scan_requests: ScanRequests,
        report: Callable[[Progress], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library = library
        self._inbox = inbox
        self._debouncer = debouncer
        self._batcher = batcher
        self._live_publisher = live_publisher
        self._in_flight = in_flight
        self._folder_expander = folder_expander
        self._broker_health = broker_health
        self._processes = processes
        self._request_scan = scan_requests.request
        self._report = report
        self._now_s = now_s
        # When batches last found room, or none waited.
        self._moved_s = now_s()

    @property
    def settling(self) -> int:
        """Paths that are not settled, as far as they are known by now."""
        return len(self._debouncer) + len(self._inbox) + len(self._folder_expander)

    @property
    def held(self) -> int:
        """Paths that are settled and not enqueued."""
        return len(self._batcher) + len(self._live_publisher)

    def process_events(self, stop: threading.Event) -> None:
        """Handles events until `stop` is set."""
        while not stop.is_set():
            if self.held < MAX_HELD:
                self._handle_event(self._inbox.next_event(self._wait_s()))
                self._drain_inbox()
            else:
                stop.wait(self._wait_s())
            self._report(self._progress())
            self._release_settled()
            self._publish_batches()
            self._report(self._progress())

    def _wait_s(self) -> float:
        is_busy = len(self._debouncer) or self.held
        if not is_busy:
            return IDLE_S
        return BUSY_S if self._now_s() - self._moved_s < STUCK_S else STUCK_WAIT_S

    def _progress(self) -> Progress:
        return Progress(self.settling, self.held, *self._debouncer.restless(self._now_s()), self._inbox.lag_s())

    def _drain_inbox(self) -> None:
        for _ in range(MAX_EVENTS_PER_TURN):
            if not len(self._inbox) or self.held >= MAX_HELD:
                return
            self._handle_event(self._inbox.next_event(0.0))

    def _handle_event(self, event: Event | None) -> None:
        match event:
            case None:
                pass
            case Touched(path=path) | Gone(path=path) if path in self._library.ignore_files:
                self._ignore_file_changed(path)
            case Moved(old, new) if self._library.ignore_files & {old, new}:
                for path in self._library.ignore_files & {old, new}:
                    self._ignore_file_changed(path)
            case Touched(path, closed):
                self._observe_file(path, closed=closed)
                self._observe_other_names(path)
            case Gone(path):
                self._file_left(path)
                self._observe_other_names(path)
                self._library.links.remove_link(path)
            case Moved(old, new):
                self._file_moved(old, new)
                self._observe_other_names(old)
                self._library.links.remove_link(old)
                self._observe_other_names(new)
            case FolderAppeared() | FolderGone() | FolderMoved():
                self._folder_expander.enqueue_event(event)
            case Lost(reason):
                self._request_scan(reason)

    def _ignore_file_changed(self, path: str) -> None:
        """A scan reads it once it has settled, and finds what the rules newly leave out and take in."""
        version = self._library.stat(path)
        if version is None or not self._debouncer.observe(path, version, self._now_s()):
            self._request_scan(f"{path} is gone")

    def _observe_file(self, path: str, *, closed: bool, gone: tuple[str, ...] = ()) -> bool:
        if not self._library.candidates.is_candidate(path):
            return False
        version = self._library.stat(path)
        if version is None:
            return False
        if self._library.links.pop_incomplete():
            self._request_scan("a file has another name somewhere")
        if not self._debouncer.observe(path, version, self._now_s(), closed=closed, gone=gone):
            self._request_scan("too many files changed at once")
        return True

    def _file_left(self, path: str) -> None:
        self._publish_removals((path, *self._debouncer.discard(path)))

    def _file_moved(self, old: str, new: str) -> None:
        gone = (old, *self._debouncer.discard(old))
        if not self._observe_file(new, closed=True, gone=tuple(filter(self._library.candidates.is_candidate, gone))):
            self._publish_removals(gone)
        # Another file may have the old name already: of two that were exchanged each has.
        self._observe_file(old, closed=True)

    def _observe_other_names(self, path: str) -> None:
        for link in self._library.links.other_names(path):
            if not self._observe_file(link, closed=False):
                self._file_left(link)

    def _publish_removals(self, paths: tuple[str, ...]) -> None:
        for path in paths:
            if self._library.candidates.is_candidate(path):
                # The file may be back already; then it is synced like any other.
                is_gone = self._library.is_gone(path)
                self._add_change(Change(gone=(path,)) if is_gone else Change(paths=(path,)))

    def _release_settled(self) -> None:
        now_s = self._now_s()
        if self.held < MAX_HELD:
            for path in self._debouncer.due(now_s):
                version = self._library.stat(path)
                if version is None:
                    self._file_left(path)
                    continue
                settled = self._debouncer.confirm(path, version, now_s)
                if settled is not None and path in self._library.ignore_files:
                    self._request_scan(f"{path} changed")
                elif settled is not None:
                    self._in_flight.mark_sent(path, version)
                    gone = tuple(filter(self._library.is_gone, settled.gone))
                    self._add_change(Change((path,), gone, version.size_bytes))
        is_calm = not self.settling
        for batch in self._batcher.due(now_s, is_calm=is_calm):
            # Do not split a batch while more files are settling: they would wait behind more batches than necessary.
            self._live_publisher.add_batches(split_evenly(batch, self._processes) if is_calm else [batch])

    def _add_change(self, change: Change) -> None:
        self._live_publisher.add_batches(self._batcher.add_change(change, self._now_s()))

    def _publish_batches(self) -> None:
        if not len(self._live_publisher):
            self._moved_s = self._now_s()
            return
        if not self._broker_health.allows_attempt():
            return
        try:
            if self._live_publisher.publish_batches():
                self._moved_s = self._now_s()
        except (RedisError, OSError, Unreachable) as error:
            self._broker_health.failed(error)
        else:
            self._broker_health.succeeded()
