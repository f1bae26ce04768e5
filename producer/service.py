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
from lookalike.index_state import IndexState
from lookalike.library.folder import FolderLibrary
from lookalike.library.links import Links
from lookalike.library.opening import candidates_of
from lookalike.library.paths import escape_path
from lookalike.log import get_logger
from lookalike.settings import Settings
from producer.batcher import Batcher
from producer.broker_health import BrokerHealth
from producer.debounce import Debouncer
from producer.event_loop import EventLoop
from producer.file_counter import FileCounter
from producer.folder_events import FolderExpander
from producer.in_flight import InFlight
from producer.index_client import IndexClient
from producer.library_state import LibraryState
from producer.losses import Losses
from producer.planner import DeletionGuard
from producer.publisher import EXPRESS_BATCHES, LivePublisher, QueueWriter, ScanPublisher
from producer.reporter import Reporter
from producer.scan import Scan
from producer.scan_requests import ScanRequests
from producer.scan_scheduler import ScanScheduler
from producer.shutdown import Stopped
from producer.status_report import StatusReport
from producer.watcher import Inbox, Watcher, supervise

log = get_logger(__name__)

# A thread that hangs (a dead network share, a stopped broker) must not keep the producer from ending in 2 s.
GRACE_S = 1.0


@dataclass
class Service:
    """The producer of one library. `run` returns when `stop` is set, or False when a thread failed."""

    settings: Settings
    root: Path
    stop: threading.Event = field(default_factory=threading.Event)
    _failed: bool = False

    def __post_init__(self) -> None:
        settings, stop, root = self.settings, self.stop, self.root
        self._connections = Connections(settings, name="producer")
        redis, transport, telemetry = self._connections.redis, self._connections.transport, self._connections.telemetry
        library = FolderLibrary(root, candidates_of(settings, root), Links())
        library_state, scan_requests = LibraryState(settings.library_id), ScanRequests()
        in_flight, inbox, debouncer = InFlight(time.monotonic), Inbox(), Debouncer(settings.settle_s)
        losses = Losses(in_flight, scan_requests)
        broker_health = BrokerHealth(losses.broker_returned, time.monotonic)
        deletion_guard = DeletionGuard(settings.max_deleted_share, settings.max_deleted_files)
        counter = FileCounter(library.count, library.is_available, stop)
        watcher = Watcher(
            library,
            inbox,
            polling=settings.polling,
            poll_s=settings.poll_s,
            on_count_changed=counter.mark_changed,
        )
        queue_writer = functools.partial(
            QueueWriter, transport, redis, settings.keys, library=library, library_state=library_state
        )
        scan_publisher = ScanPublisher(
            queue_writer(from_scan=True, max_batches=settings.max_queued_batches),
            in_flight,
            broker_health,
            stop,
            batch_paths=settings.batch_paths,
            batch_bytes=settings.batch_bytes,
            processes=settings.processes,
            in_progress=telemetry.in_progress,
        )
        index = IndexClient(transport, broker_health, stop, losses.store_returned)
        new_scan = functools.partial(
            Scan,
            library,
            index,
            scan_publisher,
            deletion_guard=deletion_guard,
            settle_s=settings.settle_s,
            debouncer=debouncer,
            in_flight=in_flight,
            scan_requests=scan_requests,
            put_event=inbox.put_event,
        )
        scan_scheduler = ScanScheduler(
            library=library,
            index=index,
            scan_publisher=scan_publisher,
            watcher=watcher,
            counter=counter,
            new_scan=new_scan,
            new_rules=functools.partial(candidates_of, settings, root),
            scan_requests=scan_requests,
            library_state=library_state,
            stop=stop,
            rescan_s=settings.rescan_s,
            settle_s=settings.settle_s,
        )
        folder_expander = FolderExpander(
            library, IndexClient(transport, broker_health, stop, losses.store_returned), inbox, debouncer, stop
        )
        reporter = Reporter(
            telemetry=telemetry,
            redis=redis,
            broker_health=broker_health,
            in_flight=in_flight,
            deletion_guard=deletion_guard,
            on_allowed=functools.partial(scan_requests.request, "deletions were allowed"),
            index_state=IndexState(redis, settings.keys),
            on_index_changed=losses.index_changed,
            identity=socket.gethostname(),
            now_s=time.monotonic,
        )
        file = settings.alive_file
        self._alive_file = None if file is None else AliveFile(file, root)
        status_report = StatusReport(
            library_state,
            scan_requests,
            counter,
            watcher,
            index,
            scan_publisher,
            losses,
            reporter,
            alive_file=self._alive_file,
            library=escape_path(str(root)),
            flower_url=settings.flower_url or "",
        )
        event_loop = EventLoop(
            library=library,
            inbox=inbox,
            debouncer=debouncer,
            batcher=Batcher(settings.batch_paths, settings.batch_bytes, settings.batch_wait_s),
            live_publisher=LivePublisher(
                queue_writer(from_scan=False, max_batches=min(EXPRESS_BATCHES, settings.max_queued_batches)),
                queue_writer(from_scan=True, max_batches=settings.max_queued_batches),
            ),
            in_flight=in_flight,
            folder_expander=folder_expander,
            processes=settings.processes,
            broker_health=broker_health,
            scan_requests=scan_requests,
            report=status_report.report,
        )
        self._scan_requests, self._counter, self._watcher = scan_requests, counter, watcher
        self._threads: dict[str, Callable[[], object]] = {
            "event-loop": functools.partial(event_loop.process_events, stop),
            "scan-scheduler": scan_scheduler.run_scans,
            "file-counter": counter.count_when_due,
            "folder-expander": folder_expander.expand_events,
            "supervisor": functools.partial(supervise, library, watcher, scan_requests.request, stop),
        }

    def run(self) -> bool:
        """Runs until `stop` is set; False if a thread failed."""
        log.info("producer started", library=str(self.root), name=self.settings.name)
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
