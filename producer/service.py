"""Wires the producer together and runs its threads. No logic."""

import functools
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lookalike.broker.index_state import IndexState
from lookalike.client.transports.connections import Connections
from lookalike.library.address import BucketAddress
from lookalike.library.joined.folders import shown
from lookalike.library.opening import opened_library, rules_of
from lookalike.library.paths import escape_path
from lookalike.log import get_logger
from lookalike.settings import Settings
from lookalike.system.alive_file import AliveFile
from producer.debounce import Debouncer
from producer.event_loop import EventLoop
from producer.publishing.batcher import Batcher
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.publishing.publisher import EXPRESS_BATCHES, LivePublisher, QueueWriter, ScanPublisher
from producer.reporter import Reporter
from producer.scanning.file_counter import FileCounter
from producer.scanning.index_client import IndexClient
from producer.scanning.library_state import LibraryState
from producer.scanning.losses import Losses
from producer.scanning.planner import DeletionGuard
from producer.scanning.scan import Scan
from producer.scanning.scan_requests import ScanRequests
from producer.scanning.scan_scheduler import ScanScheduler
from producer.scanning.schedule import schedule_of
from producer.shutdown import Stopped
from producer.status_report import StatusReport
from producer.watching.folder_events import FolderExpander
from producer.watching.following import new_following
from producer.watching.watcher import Inbox

log = get_logger(__name__)

# A thread that hangs (a dead network share, a stopped broker) must not keep the producer from ending in 2 s.
GRACE_S = 1.0


@dataclass
class Service:
    """The producer of one library. `run` returns when `stop` is set, or False when a thread failed."""

    settings: Settings
    root: Path | BucketAddress
    stop: threading.Event = field(default_factory=threading.Event)
    _failed: bool = False

    def __post_init__(self) -> None:
        settings, root = self.settings, self.root
        self._connections = Connections(settings, name="producer")
        self._library = opened_library(settings, root)
        # An object is whole from the first moment, whatever the server's clock says.
        self._settle_s = settings.settle_s if isinstance(root, Path) else float("-inf")
        self._library_state, self._scan_requests = LibraryState(settings.library_id), ScanRequests()
        self._in_flight, self._inbox = InFlight(time.monotonic), Inbox()
        self._debouncer = Debouncer(settings.settle_s)
        self._losses = Losses(self._in_flight, self._scan_requests)
        self._broker_health = BrokerHealth(self._losses.broker_returned, time.monotonic)
        self._deletion_guard = DeletionGuard(settings.max_deleted_share, settings.max_deleted_files)
        self._counter = FileCounter(self._library.count, self._library.is_available, self.stop)
        self._watcher, self._supervision = new_following(
            settings,
            self._library,
            self._inbox,
            redis=self._connections.redis,
            on_count_changed=self._counter.mark_changed,
            scan_requests=self._scan_requests,
            stop=self.stop,
        )
        self._folder_expander = FolderExpander(
            self._library, self._new_index_client(), self._inbox, self._debouncer, self.stop
        )
        file = settings.alive_file
        self._alive_file = None if file is None else AliveFile(file, settings.library_folder)
        index, scan_publisher = self._new_index_client(), self._new_scan_publisher()
        scan_scheduler = self._new_scan_scheduler(index, scan_publisher)
        event_loop = self._new_event_loop(self._new_status_report(index, scan_publisher))
        self._threads: dict[str, Callable[[], object]] = {
            "event-loop": functools.partial(event_loop.process_events, self.stop),
            "scan-scheduler": scan_scheduler.run_scans,
            "file-counter": self._counter.count_when_due,
            "folder-expander": self._folder_expander.expand_events,
            "supervisor": self._supervision.run,
        }

    def _new_index_client(self) -> IndexClient:
        return IndexClient(self._connections.transport, self._broker_health, self.stop, self._losses.store_returned)

    def _new_queue_writer(self, *, from_scan: bool, max_batches: int) -> QueueWriter:
        return QueueWriter(
            self._connections.transport,
            self._connections.redis,
            self.settings.keys,
            from_scan=from_scan,
            max_batches=max_batches,
            library=self._library,
            library_state=self._library_state,
        )

    def _new_scan_publisher(self) -> ScanPublisher:
        settings = self.settings
        return ScanPublisher(
            self._new_queue_writer(from_scan=True, max_batches=settings.max_queued_batches),
            self._in_flight,
            self._broker_health,
            self.stop,
            batch_paths=settings.batch_paths,
            batch_bytes=settings.batch_bytes,
            processes=settings.processes,
            in_progress=self._connections.telemetry.in_progress,
        )

    def _new_scan_scheduler(self, index: IndexClient, scan_publisher: ScanPublisher) -> ScanScheduler:
        new_scan = functools.partial(
            Scan,
            self._library,
            index,
            scan_publisher,
            deletion_guard=self._deletion_guard,
            settle_s=self._settle_s,
            debouncer=self._debouncer,
            in_flight=self._in_flight,
            scan_requests=self._scan_requests,
            put_event=self._inbox.put_event,
        )
        return ScanScheduler(
            library=self._library,
            index=index,
            scan_publisher=scan_publisher,
            watcher=self._watcher,
            counter=self._counter,
            new_scan=new_scan,
            new_rules=functools.partial(rules_of, self.settings, self._library),
            scan_requests=self._scan_requests,
            library_state=self._library_state,
            stop=self.stop,
            schedule=schedule_of(self.settings, datetime.now, random.random),
            settle_s=self._settle_s,
        )

    def _new_status_report(self, index: IndexClient, scan_publisher: ScanPublisher) -> StatusReport:
        redis = self._connections.redis
        reporter = Reporter(
            telemetry=self._connections.telemetry,
            redis=redis,
            broker_health=self._broker_health,
            in_flight=self._in_flight,
            deletion_guard=self._deletion_guard,
            on_allowed=functools.partial(self._scan_requests.request, "deletions were allowed"),
            index_state=IndexState(redis, self.settings.keys),
            on_index_changed=self._losses.index_changed,
            on_left_undone=self._scan_requests.request_soon,
            identity=socket.gethostname(),
            now_s=time.monotonic,
        )
        return StatusReport(
            self._library_state,
            self._scan_requests,
            self._counter,
            self._watcher,
            index,
            scan_publisher,
            self._losses,
            reporter,
            alive_file=self._alive_file,
            library=escape_path(shown(self.root)),
            flower_url=self.settings.flower_url or "",
        )

    def _new_event_loop(self, status_report: StatusReport) -> EventLoop:
        settings = self.settings
        express_batches = min(EXPRESS_BATCHES, settings.max_queued_batches)
        return EventLoop(
            library=self._library,
            inbox=self._inbox,
            debouncer=self._debouncer,
            batcher=Batcher(settings.batch_paths, settings.batch_bytes, settings.batch_wait_s),
            live_publisher=LivePublisher(
                self._new_queue_writer(from_scan=False, max_batches=express_batches),
                self._new_queue_writer(from_scan=True, max_batches=settings.max_queued_batches),
            ),
            in_flight=self._in_flight,
            folder_expander=self._folder_expander,
            processes=settings.processes,
            broker_health=self._broker_health,
            scan_requests=self._scan_requests,
            report=status_report.report,
        )

    def run(self) -> bool:
        """Runs until `stop` is set; False if a thread failed."""
        log.info("producer started", library=shown(self.root), name=self.settings.name)
        threads = [
            threading.Thread(target=self._run_thread, args=(name, target), name=name, daemon=True)
            for name, target in self._threads.items()
        ]
        if self._alive_file is not None:
            self._alive_file.start()
        for thread in threads:
            thread.start()
        self.stop.wait()
        until_s = time.monotonic() + GRACE_S
        self._scan_requests.wake()
        self._counter.wake()
        self._supervision.wake()
        self._folder_expander.wake()
        self._inbox.wake()
        threads.append(threading.Thread(target=self._watcher.stop, name="watcher", daemon=True))
        threads[-1].start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self._connections.close()
        log.info("producer stopped", hanging=",".join(thread.name for thread in threads if thread.is_alive()))
        return not self._failed

    def rescan(self, reason: str) -> None:
        """Requests a scan now."""
        self._scan_requests.request(reason)

    def _run_thread(self, name: str, target: Callable[[], object]) -> None:
        try:
            target()
        except Stopped:
            pass
        except Exception:
            # A bug: log it and end the process, so that the supervisor restarts it.
            log.exception("thread failed", thread=name)
            self._failed = True
            self.stop.set()
