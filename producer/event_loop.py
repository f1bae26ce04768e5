"""The loop: takes events, waits for files to rest, sends batches. Never waits for a scan."""

import logging
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from lookalike.errors import Unreachable
from producer.batcher import Batching, Change, shared_out
from producer.broker_health import BrokerHealth
from producer.debounce import Debouncer
from producer.events import (
    Event,
    FolderAppeared,
    FolderGone,
    FolderMoved,
    Gone,
    Lost,
    Moved,
    Touched,
)
from producer.folder_events import Folders
from producer.in_flight import InFlight
from producer.library import Library
from producer.live_publisher import LivePublisher
from producer.watcher import Inbox

log = logging.getLogger(__name__)

# Between two turns: short while files settle, long enough to cost nothing (0.2 % of a core) while nothing happens.
BUSY_S = 0.02
IDLE_S = 0.25
MOST_EVENTS_A_TURN = 1000
# Paths that wait for room in the queue. More of them stay in the inbox and with the settling ones, which are bounded.
MOST_HELD = 20_000


class Loop:
    """One turn after the other, in one thread."""

    def __init__(
        self,
        *,
        library: Library,
        inbox: Inbox,
        settling: Debouncer,
        batching: Batching,
        outbox: LivePublisher,
        in_flight: InFlight,
        folders: Folders,
        broker_health: BrokerHealth,
        processes: int,
        request_scan: Callable[[str], None],
        report: Callable[["Loop"], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library = library
        self._inbox = inbox
        self._settling = settling
        self._batching = batching
        self._outbox = outbox
        self._in_flight = in_flight
        self._folders = folders
        self._broker_health = broker_health
        self._processes = processes
        self._request_scan = request_scan
        self._report = report
        self._now_s = now_s

    @property
    def settling(self) -> int:
        """Paths that are not at rest, as far as they are known by now."""
        return len(self._settling) + len(self._inbox) + len(self._folders)

    @property
    def held(self) -> int:
        """Paths that are at rest and not enqueued."""
        return len(self._batching) + len(self._outbox)

    def run(self, stop: threading.Event) -> None:
        """Runs until the producer ends."""
        while not stop.is_set():
            if self.held < MOST_HELD:
                self._take(self._inbox.take(BUSY_S if len(self._settling) or self.held else IDLE_S))
                self._take_more()
            else:
                stop.wait(BUSY_S)
            self._report(self)
            self._release()
            self._enqueue()
            self._report(self)

    def _take_more(self) -> None:
        for _ in range(MOST_EVENTS_A_TURN):
            if not len(self._inbox) or self.held >= MOST_HELD:
                return
            self._take(self._inbox.take(0.0))

    def _take(self, event: Event | None) -> None:
        match event:
            case None:
                pass
            case Touched(path, closed):
                self._touch(path, closed=closed)
                self._look_beside(path)
            case Gone(path):
                self._left(path)
                self._look_beside(path)
                self._library.links.gone(path)
            case Moved(old, new):
                self._moved(old, new)
                self._look_beside(old)
                self._library.links.gone(old)
                self._look_beside(new)
            case FolderAppeared() | FolderGone() | FolderMoved():
                self._folders.take(event)
            case Lost(reason):
                self._request_scan(reason)

    def _touch(self, path: str, *, closed: bool, gone: tuple[str, ...] = ()) -> bool:
        if not self._library.candidates.is_candidate(path):
            return False
        stamp = self._library.stat(path)
        if stamp is None:
            return False
        if self._library.links.are_incomplete():
            self._request_scan("a file has another name somewhere")
        if not self._settling.observe(path, stamp, self._now_s(), closed=closed, gone=gone):
            self._request_scan("too many files changed at once")
        return True

    def _left(self, path: str) -> None:
        self._remove((path, *self._settling.forget(path)))

    def _moved(self, old: str, new: str) -> None:
        gone = (old, *self._settling.forget(old))
        if not self._touch(new, closed=True, gone=tuple(filter(self._library.candidates.is_candidate, gone))):
            self._remove(gone)

    def _look_beside(self, path: str) -> None:
        for link in self._library.links.beside(path):
            if not self._touch(link, closed=False):
                self._left(link)

    def _remove(self, paths: tuple[str, ...]) -> None:
        for path in paths:
            if self._library.candidates.is_candidate(path):
                # It may be back already; then it is a file to look at like any other.
                is_gone = self._library.is_gone(path)
                self._add(Change(gone=(path,)) if is_gone else Change(paths=(path,)))

    def _release(self) -> None:
        now_s = self._now_s()
        if self.held < MOST_HELD:
            for path in self._settling.due(now_s):
                stamp = self._library.stat(path)
                if stamp is None:
                    self._left(path)
                    continue
                settled = self._settling.confirm(path, stamp, now_s)
                if settled is not None:
                    self._in_flight.sent(path, stamp)
                    gone = tuple(filter(self._library.is_gone, settled.gone))
                    self._add(Change((path,), gone, stamp.size_bytes))
        for batch in self._batching.due(now_s):
            # Not while more are about to come: they would wait for more batches than need be.
            self._outbox.put([batch] if self.settling else shared_out(batch, self._processes))

    def _add(self, change: Change) -> None:
        self._outbox.put(self._batching.add(change, self._now_s()))

    def _enqueue(self) -> None:
        if not len(self._outbox) or not self._broker_health.allows_attempt():
            return
        try:
            self._outbox.send()
        except (RedisError, OSError, Unreachable) as error:
            self._broker_health.failed(error)
        else:
            self._broker_health.succeeded()
