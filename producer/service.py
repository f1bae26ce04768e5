"""Joins the parts of the producer and runs their threads until they shall end. Holds no rule."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.connections import Connections
from lookalike.index_state import IndexReport, IndexState
from lookalike.library.folder import FileVersion
from lookalike.library.rules import Candidates
from lookalike.log import fields
from lookalike.settings import Settings
from lookalike.telemetry import ProducerReport
from producer.batcher import Batching
from producer.broker_health import BrokerHealth
from producer.debounce import MOST_PATHS, Debouncer
from producer.deletion_guard import DeletionGuard
from producer.event_loop import Loop
from producer.file_counter import Counter
from producer.folder_events import Folders
from producer.in_flight import InFlight
from producer.index_client import IndexClient
from producer.library import EMPTY, Library
from producer.live_publisher import EXPRESS_BATCHES, LivePublisher
from producer.minding import supervise
from producer.queue_writer import QueueWriter
from producer.reporter import Reporter
from producer.scan import Scan
from producer.scan_publisher import ScanPublisher
from producer.scan_scheduler import WATCHING, ScanScheduler
from producer.shutdown import Stopped
from producer.watcher import Inbox, Watcher

log = logging.getLogger(__name__)

# What hangs (a dead network share, a broker that is stopped) must not keep the producer from ending in 2 s.
GRACE_S = 1.0
ANEW = "The store had lost the index, which is being made anew: every image is embedded again."


@dataclass
class Service:
    """The producer of one library. `run` returns when `stop` is set, or False when a part failed."""

    settings: Settings
    root: Path
    stop: threading.Event = field(default_factory=threading.Event)
    _failed: bool = False
    # When it was told that the index is made anew; 0.0 once it is.
    _anew_at_unix_s: float = 0.0

    def __post_init__(self) -> None:
        settings, stop, now_s = self.settings, self.stop, time.monotonic
        self._opened = Connections(settings, name="producer")
        redis, transport, telemetry = self._opened.redis, self._opened.transport, self._opened.telemetry
        self._library = Library(self.root, Candidates(settings.extensions, settings.ignore))
        self._in_flight = InFlight(now_s)
        self._removals = DeletionGuard(settings.max_deleted_share, settings.max_deleted_files)
        self._inbox = Inbox()
        self._settling = Debouncer(settings.settle_s)
        self._counter = Counter(self._library.count, lambda: self._library.absence() in (None, EMPTY), stop)
        self._watcher = Watcher(
            self._library,
            self._inbox,
            polling=settings.polling,
            poll_s=settings.poll_s,
            on_count_changed=self._counter.changed,
        )
        broker_health = BrokerHealth(self._broker_returned, now_s)

        def lane(*, from_scan: bool, most_batches: int = settings.max_queued_batches) -> QueueWriter:
            return QueueWriter(
                transport,
                redis,
                settings.keys,
                from_scan=from_scan,
                most_batches=most_batches,
                may_remove=lambda: self._library.absence() is None,
                library_id=lambda: settings.library_id or self._scanner.library_id,
            )

        self._outlet = ScanPublisher(
            lane(from_scan=True),
            self._in_flight,
            broker_health,
            stop,
            batch_paths=settings.batch_paths,
            batch_bytes=settings.batch_bytes,
            processes=settings.processes,
            in_progress=telemetry.in_progress,
        )
        self._index = IndexClient(
            transport, broker_health, stop, lambda: self._scanner.request("broker or store was away")
        )
        self._scanner = ScanScheduler(
            library=self._library,
            index=self._index,
            outlet=self._outlet,
            watcher=self._watcher,
            counter=self._counter,
            new_scan=self._new_scan,
            stop=stop,
            rescan_s=settings.rescan_s,
        )
        self._folders = Folders(
            self._library,
            IndexClient(transport, broker_health, stop, lambda: self._scanner.request("broker or store was away")),
            self._inbox.put,
            lambda: len(self._settling) + len(self._inbox) < MOST_PATHS // 2,
            stop,
        )
        self._reporter = Reporter(
            telemetry=telemetry,
            redis=redis,
            broker_health=broker_health,
            in_flight=self._in_flight,
            removals=self._removals,
            on_allowed=lambda: self._scanner.request("removals were allowed"),
            index_notes=IndexState(redis, settings.keys),
            on_index_changed=self._index_changed,
            identity=socket.gethostname(),
            now_s=now_s,
        )
        self._loop = Loop(
            library=self._library,
            inbox=self._inbox,
            settling=self._settling,
            batching=Batching(settings.batch_paths, settings.batch_bytes, settings.batch_wait_s),
            outbox=LivePublisher(
                lane(from_scan=False, most_batches=min(EXPRESS_BATCHES, settings.max_queued_batches)),
                lane(from_scan=True),
            ),
            in_flight=self._in_flight,
            folders=self._folders,
            processes=settings.processes,
            broker_health=broker_health,
            request_scan=self._scanner.request,
            report=lambda loop: self._reporter.report(self._note(loop)),
        )

    def run(self) -> bool:
        """Runs until `stop` is set; False if a part failed."""
        log.info(fields("producer begins", library=str(self.root), name=self.settings.name))
        parts: dict[str, Callable[[], None]] = {
            "loop": lambda: self._loop.run(self.stop),
            "scanner": self._scanner.run,
            "counter": self._counter.run,
            "folders": self._folders.run,
            "minder": lambda: supervise(self._library, self._watcher, self._scanner.request, self.stop),
        }
        threads = [
            threading.Thread(target=self._guarded, args=(name, part), name=name, daemon=True)
            for name, part in parts.items()
        ]
        for thread in threads:
            thread.start()
        self.stop.wait()
        until_s = time.monotonic() + GRACE_S
        self._scanner.wake()
        self._counter.wake()
        threads.append(threading.Thread(target=self._watcher.stop, name="watcher", daemon=True))
        threads[-1].start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        self._opened.close()
        log.info(fields("producer ended", hanging=",".join(thread.name for thread in threads if thread.is_alive())))
        return not self._failed

    def rescan(self, reason: str) -> None:
        """Asks for a scan out of turn."""
        self._scanner.request(reason)

    def _guarded(self, name: str, part: Callable[[], None]) -> None:
        try:
            part()
        except Stopped:
            pass
        except Exception:
            # Our fault: end all of it, aloud, and let whoever keeps us alive start anew.
            log.exception(fields("part failed", part=name))
            self._failed = True
            self.stop.set()

    def _new_scan(self) -> Scan:
        return Scan(
            self._library,
            self._index,
            self._outlet,
            removals=self._removals,
            settle_s=self.settings.settle_s,
            is_pending=self._is_pending,
            is_overtaken=lambda: self._scanner.is_overtaken,
            touch=self._inbox.put,
        )

    def _is_pending(self, path: str, stamp: FileVersion) -> bool:
        return path in self._settling or self._in_flight.holds(path, stamp)

    def _broker_returned(self) -> None:
        self._in_flight.forget()
        self._scanner.request("broker was away")

    def _index_changed(self, note: IndexReport) -> None:
        # What is on its way may have arrived in an index that is not there any more.
        self._in_flight.forget()
        self._anew_at_unix_s = time.time() if note.is_recreated else self._anew_at_unix_s
        self._scanner.request(note.why)

    def _anew(self, *, is_at_rest: bool) -> str:
        """A sentence while the index is made anew; empty if it is not, or when that is done."""
        if is_at_rest and self._scanner.ended_at_unix_s > self._anew_at_unix_s and not len(self._in_flight):
            self._anew_at_unix_s = 0.0
        return ANEW if self._anew_at_unix_s else ""

    def _note(self, loop: Loop) -> ProducerReport:
        count = self._counter.latest
        unreadable = (
            f"{count.unreadable} folders cannot be read, the first is {count.first_unreadable!r}: "
            "let the producer's user read them."
            if count.unreadable
            else ""
        )
        offline = f"The library {self._scanner.offline}; nothing is removed." if self._scanner.offline else ""
        # State first: a scan hands over to settling and held before it says that it has ended.
        state, ended_at = self._scanner.state, self._scanner.ended_at_unix_s
        held = loop.held + len(self._outlet)
        anew = self._anew(is_at_rest=state == WATCHING and not held)
        index = self._reporter.trouble or self._index.trouble
        warnings = (offline, index, anew, self._scanner.warning, self._watcher.warning, unreadable)
        return ProducerReport(
            discovered=count.discovered,
            ignored=count.ignored,
            settling=max(loop.settling, int(self._counter.is_due)),
            held=held,
            state=state,
            scan_ended_at=ended_at,
            watching=self._watcher.watching,
            warning=" ".join(filter(None, warnings)),
        )
