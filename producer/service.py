"""Wires the producer together and runs its threads. No logic."""

import functools
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.alive_file import AliveFile
from lookalike.connections import Connections
from lookalike.index_state import IndexReport, IndexState
from lookalike.library.folder import EMPTY, FolderLibrary
from lookalike.library.links import Links
from lookalike.library.opening import candidates_of
from lookalike.library.paths import escape_path
from lookalike.library.version import FileVersion
from lookalike.log import get_logger
from lookalike.settings import Settings
from lookalike.telemetry import ProducerReport
from producer.batcher import Batcher
from producer.broker_health import BrokerHealth
from producer.debounce import MAX_PATHS, Debouncer
from producer.event_loop import EventLoop
from producer.file_counter import FileCounter
from producer.folder_events import FolderExpander
from producer.in_flight import InFlight
from producer.index_client import IndexClient
from producer.publisher import EXPRESS_BATCHES, LivePublisher, QueueWriter, ScanPublisher
from producer.reporter import Reporter
from producer.scan import DeletionGuard, Scan
from producer.scan_scheduler import WATCHING, ScanScheduler
from producer.shutdown import Stopped
from producer.watcher import Inbox, Watcher, supervise

log = get_logger(__name__)

# A thread that hangs (a dead network share, a stopped broker) must not keep the producer from ending in 2 s.
GRACE_S = 1.0
INDEX_REBUILT = "The store had lost the index, which is being made anew: every image is embedded again."


@dataclass
class Service:
    """The producer of one library. `run` returns when `stop` is set, or False when a thread failed."""

    settings: Settings
    root: Path
    stop: threading.Event = field(default_factory=threading.Event)
    _failed: bool = False
    # When the index began to be rebuilt; 0.0 once that is done.
    _rebuilt_at_unix_s: float = 0.0

    def __post_init__(self) -> None:
        settings, stop, now_s = self.settings, self.stop, time.monotonic
        self._connections = Connections(settings, name="producer")
        redis, transport, telemetry = self._connections.redis, self._connections.transport, self._connections.telemetry
        self._library = FolderLibrary(self.root, candidates_of(settings, self.root), Links())
        self._in_flight = InFlight(now_s)
        self._deletion_guard = DeletionGuard(settings.max_deleted_share, settings.max_deleted_files)
        self._inbox = Inbox()
        self._debouncer = Debouncer(settings.settle_s)
        self._file_counter = FileCounter(self._library.count, lambda: self._library.absence() in (None, EMPTY), stop)
        self._watcher = Watcher(
            self._library,
            self._inbox,
            polling=settings.polling,
            poll_s=settings.poll_s,
            on_count_changed=self._file_counter.mark_changed,
        )
        broker_health = BrokerHealth(self._broker_returned, now_s)

        def queue_writer(*, from_scan: bool, max_batches: int = settings.max_queued_batches) -> QueueWriter:
            return QueueWriter(
                transport,
                redis,
                settings.keys,
                from_scan=from_scan,
                max_batches=max_batches,
                may_delete=lambda: self._library.absence() is None,
                library_id=lambda: settings.library_id or self._scan_scheduler.library_id,
            )

        self._scan_publisher = ScanPublisher(
            queue_writer(from_scan=True),
            self._in_flight,
            broker_health,
            stop,
            batch_paths=settings.batch_paths,
            batch_bytes=settings.batch_bytes,
            processes=settings.processes,
            in_progress=telemetry.in_progress,
        )
        self._index = IndexClient(transport, broker_health, stop, self._store_returned)
        self._scan_scheduler = ScanScheduler(
            library=self._library,
            index=self._index,
            scan_publisher=self._scan_publisher,
            watcher=self._watcher,
            counter=self._file_counter,
            new_scan=self._new_scan,
            new_rules=functools.partial(candidates_of, settings, self.root),
            stop=stop,
            rescan_s=settings.rescan_s,
        )
        self._folder_expander = FolderExpander(
            self._library,
            IndexClient(transport, broker_health, stop, self._store_returned),
            self._inbox.put_event,
            lambda: len(self._debouncer) + len(self._inbox) < MAX_PATHS // 2,
            stop,
        )
        self._reporter = Reporter(
            telemetry=telemetry,
            redis=redis,
            broker_health=broker_health,
            in_flight=self._in_flight,
            deletion_guard=self._deletion_guard,
            on_allowed=lambda: self._scan_scheduler.request_scan("deletions were allowed"),
            index_state=IndexState(redis, settings.keys),
            on_index_changed=self._index_changed,
            identity=socket.gethostname(),
            now_s=now_s,
        )
        self._event_loop = EventLoop(
            library=self._library,
            inbox=self._inbox,
            debouncer=self._debouncer,
            batcher=Batcher(settings.batch_paths, settings.batch_bytes, settings.batch_wait_s),
            live_publisher=LivePublisher(
                queue_writer(from_scan=False, max_batches=min(EXPRESS_BATCHES, settings.max_queued_batches)),
                queue_writer(from_scan=True),
            ),
            in_flight=self._in_flight,
            folder_expander=self._folder_expander,
            processes=settings.processes,
            broker_health=broker_health,
            request_scan=self._scan_scheduler.request_scan,
            report=self._after_turn,
        )
        file = settings.alive_file
        self._alive_file = None if file is None else AliveFile(file, self.root)

    def run(self) -> bool:
        """Runs until `stop` is set; False if a thread failed."""
        log.info("producer started", library=str(self.root), name=self.settings.name)
        targets: dict[str, Callable[[], None]] = {
            "event-loop": lambda: self._event_loop.process_events(self.stop),
            "scan-scheduler": self._scan_scheduler.run_scans,
            "file-counter": self._file_counter.count_when_due,
            "folder-expander": self._folder_expander.expand_events,
            "supervisor": lambda: supervise(self._library, self._watcher, self._scan_scheduler.request_scan, self.stop),
        }
        threads = [
            threading.Thread(target=self._run_thread, args=(name, target), name=name, daemon=True)
            for name, target in targets.items()
        ]
        if self._alive_file is not None:
            self._alive_file.start()
        for thread in threads:
            thread.start()
        self.stop.wait()
        until_s = time.monotonic() + GRACE_S
        self._scan_scheduler.wake()
        self._file_counter.wake()
        threads.append(threading.Thread(target=self._watcher.stop, name="watcher", daemon=True))
        threads[-1].start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self._connections.close()
        log.info("producer stopped", hanging=",".join(thread.name for thread in threads if thread.is_alive()))
        return not self._failed

    def rescan(self, reason: str) -> None:
        """Requests a scan now."""
        self._scan_scheduler.request_scan(reason)

    def _run_thread(self, name: str, target: Callable[[], None]) -> None:
        try:
            target()
        except Stopped:
            pass
        except Exception:
            # A bug: log it and end the process, so that the supervisor restarts it.
            log.exception("thread failed", thread=name)
            self._failed = True
            self.stop.set()

    def _new_scan(self) -> Scan:
        return Scan(
            self._library,
            self._index,
            self._scan_publisher,
            deletion_guard=self._deletion_guard,
            settle_s=self.settings.settle_s,
            is_pending=self._is_pending,
            is_superseded=lambda: self._scan_scheduler.is_superseded,
            put_event=self._inbox.put_event,
        )

    def _is_pending(self, path: str, version: FileVersion) -> bool:
        return path in self._debouncer or self._in_flight.contains(path, version)

    def _broker_returned(self) -> None:
        self._in_flight.forget_all()
        self._scan_scheduler.request_scan("broker was unavailable")

    def _store_returned(self) -> None:
        self._scan_scheduler.request_scan("broker or store was unavailable")

    def _index_changed(self, report: IndexReport) -> None:
        # Messages in flight may have been written to an index that is gone.
        self._in_flight.forget_all()
        self._rebuilt_at_unix_s = time.time() if report.is_recreated else self._rebuilt_at_unix_s
        self._scan_scheduler.request_scan(report.why)

    def _rebuild_warning(self, *, is_at_rest: bool) -> str:
        """A sentence while the index is being rebuilt; else empty."""
        if is_at_rest and self._scan_scheduler.ended_at_unix_s > self._rebuilt_at_unix_s and not len(self._in_flight):
            self._rebuilt_at_unix_s = 0.0
        return INDEX_REBUILT if self._rebuilt_at_unix_s else ""

    def _after_turn(self, loop: EventLoop) -> None:
        if self._alive_file is not None:
            self._alive_file.beat()
        self._reporter.report(self._report(loop))

    def _report(self, loop: EventLoop) -> ProducerReport:
        count = self._file_counter.latest
        unreadable = (
            f"{count.unreadable} folders cannot be read, the first is {count.first_unreadable!r}: "
            "let the producer's user read them."
            if count.unreadable
            else ""
        )
        absence = self._scan_scheduler.offline
        offline = f"The library {absence}; nothing is removed." if absence else ""
        # Read the state first: a scan hands its files over to settling and held before it reports its end.
        state, ended_at = self._scan_scheduler.state, self._scan_scheduler.ended_at_unix_s
        held = loop.held + len(self._scan_publisher)
        rebuild = self._rebuild_warning(is_at_rest=state == WATCHING and not held)
        index = self._reporter.trouble or self._index.trouble
        warnings = (offline, index, rebuild, self._scan_scheduler.warning, self._watcher.warning, unreadable)
        restless, restless_s = loop.restless
        return ProducerReport(
            discovered=count.discovered,
            ignored=count.ignored,
            settling=max(loop.settling, int(self._file_counter.is_due)),
            held=held,
            state=state,
            scan_ended_at=ended_at,
            watching=self._watcher.watching,
            restless=escape_path(restless),
            restless_s=restless_s,
            warning=" ".join(filter(None, warnings)),
            library=escape_path(str(self.root)),
            flower_url=self.settings.flower_url or "",
        )
