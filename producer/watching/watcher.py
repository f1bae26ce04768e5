"""Watches the library with watchdog and puts its events into the inbox. Restarts watching when that is necessary."""

import errno
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserverVFS

from lookalike.library.folder import FolderLibrary
from lookalike.log import get_logger
from producer.watching.events import WATCHDOG_EVENTS, Event, Lost, changes_count, from_watchdog, is_outside
from producer.watching.mounts import is_local

log = get_logger(__name__)

INOTIFY = "inotify"
POLLING = "polling"
EXHAUSTED_WARNING = (
    "The system's inotify watches are used up, so the library is polled, which is slower. "
    "Allow more with `sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024` and restart."
)
# About 56 MB of events; after an overflow a scan finds what changed.
MAX_EVENTS = 200_000
# An event of our own that takes longer is never coming.
PULSE_WITHIN_S = 10.0


class Inbox:
    """Events that wait for the event loop. A full inbox drops events and reports it: `put_event` never blocks."""

    def __init__(self, max_events: int = MAX_EVENTS, now_s: Callable[[], float] = time.monotonic) -> None:
        # With the time at which each came.
        self._events: queue.Queue[tuple[float, Event | None]] = queue.Queue(max_events)
        self._now_s = now_s
        self._overflowed = threading.Event()

    def __len__(self) -> int:
        return self._events.qsize()

    def lag_s(self) -> float:
        """Seconds that the oldest event has waited; 0 if none waits."""
        try:
            came_s: float = self._events.queue[0][0]
        except IndexError:
            return 0.0
        return max(0.0, self._now_s() - came_s)

    def put_event(self, event: Event) -> None:
        """Enqueues an event for the event loop."""
        try:
            self._events.put_nowait((self._now_s(), event))
        except queue.Full:
            self._overflowed.set()

    def wake(self) -> None:
        """Ends the wait for an event: there is something else to do."""
        with suppress(queue.Full):
            self._events.put_nowait((self._now_s(), None))

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event; None after the timeout, or after `wake`."""
        if self._overflowed.is_set():
            self._overflowed.clear()
            return Lost("more events came than fit into the inbox")
        try:
            return (self._events.get(timeout=timeout_s) if timeout_s > 0 else self._events.get_nowait())[1]
        except queue.Empty:
            return None


class Watcher:
    """One observer at a time, restarted when it died or when the library is another folder than before."""

    def __init__(
        self,
        library: FolderLibrary,
        inbox: Inbox,
        *,
        polling: bool,
        poll_s: float,
        on_count_changed: Callable[[], None],
    ) -> None:
        self._library = library
        self._inbox = inbox
        self._poll_s = poll_s
        self._on_count_changed = on_count_changed
        # Called inotify on every system; only Linux has it, elsewhere watchdog picks the system's own interface.
        self.watching = POLLING if polling else INOTIFY
        self.warning = ""
        self._exhausted = threading.Event()
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None
        self._is_reading: Callable[[], bool] = lambda: True
        self._pulse_s: Callable[[float], float | None] = lambda _: None
        self._is_local = False
        # How long an event of our own took to come, the last time.
        self.lag_s = 0.0
        self._restore_watches: Callable[[], None] = lambda: None
        self._identity: Hashable | None = None

    def ensure_watching(self) -> bool:
        """Starts watching unless that is healthy; True if it was started. A missing library is not watched."""
        with self._lock:
            if self.is_healthy():
                return False
            self._stop()
            self._identity = self._library.identity()
            if self._identity is None:
                return False
            if self.watching == INOTIFY:
                self._try_to_start()
            if self._exhausted.is_set():
                self._stop()
                if self.watching == INOTIFY:
                    log.warning(EXHAUSTED_WARNING)
                    self.watching, self.warning = POLLING, EXHAUSTED_WARNING
            if self.watching == POLLING:
                self._try_to_start()
            return self.is_healthy()

    def restore_watches(self) -> None:
        """Adds missing watches: without its watch, a folder would stay unseen for ever."""
        self._restore_watches()

    def is_healthy(self) -> bool:
        """Whether every thread of the observer is alive and the library is the folder that it watches."""
        return self._is_alive() and self._identity == self._library.identity()

    def _is_alive(self) -> bool:
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and self._is_reading()
            and (self.watching == POLLING or not self._exhausted.is_set())
        )

    @property
    def is_complete(self) -> bool:
        """Whether events tell of every change: they come from the kernel, and from disks of this machine alone.

        Only so long as `pulse` shows that they come.
        """
        return self.watching == INOTIFY and self._is_local and self._is_alive()

    def pulse(self) -> bool:
        """Whether an event of our own comes back, by the way of all others; measures the lag. Reads no disk."""
        lag_s = self._pulse_s(PULSE_WITHIN_S) if self._is_alive() else None
        self.lag_s = lag_s or 0.0
        return lag_s is not None

    def stop(self) -> None:
        """Stops watching."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            _stop(observer)

    def _try_to_start(self) -> None:
        try:
            self._observer = self._start_observer()
        except OSError as error:
            # The folder may be gone again; the next attempt finds that.
            if self.watching == INOTIFY and error.errno in (errno.ENOSPC, errno.EMFILE):
                self._exhausted.set()
            log.warning("cannot watch", by=self.watching, error=str(error))

    def _start_observer(self) -> BaseObserver:
        root = os.fspath(self._library.root)
        observer = self._new_observer()
        handler = _Handler(
            self._inbox,
            root,
            names_every_file=self.watching == POLLING,
            includes_folder=self._library.includes_folder,
            on_count_changed=self._on_count_changed,
        )
        try:
            observer.schedule(handler, root, recursive=True, event_filter=WATCHDOG_EVENTS)
            observer.start()
        except BaseException:
            _stop(observer)
            raise
        return observer

    def _new_observer(self) -> BaseObserver:
        self._is_reading, self._restore_watches, self._is_local = lambda: True, lambda: None, False
        if self.watching == POLLING:
            # lstat: links to folders are not followed, so that no cycle is walked.
            return PollingObserverVFS(os.lstat, os.scandir, polling_interval=self._poll_s)
        if sys.platform == "linux":
            from producer.watching.inotify import OverflowAwareObserver  # noqa: PLC0415 - needs Linux's libc

            observer = OverflowAwareObserver(
                lambda: self._inbox.put_event(Lost("the kernel's queue of events overflowed")), self._exhausted.set
            )
            self._is_reading, self._restore_watches = observer.is_reading, observer.restore_watches
            self._pulse_s, self._is_local = observer.pulse_s, is_local(self._library.root)
            return observer
        from watchdog.observers import Observer  # noqa: PLC0415 - another one on each system

        return Observer()


class _Handler(FileSystemEventHandler):
    def __init__(
        self,
        inbox: Inbox,
        root: str,
        *,
        names_every_file: bool,
        includes_folder: Callable[[str], bool],
        on_count_changed: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._root = root
        self._names_every_file = names_every_file
        self._includes_folder = includes_folder
        self._on_count_changed = on_count_changed

    def dispatch(self, event: FileSystemEvent) -> None:
        if is_outside(event, self._root, self._includes_folder):
            return
        if changes_count(event):
            # Before the event itself: a reader of the report must see that the count is not final.
            self._on_count_changed()
        ours = from_watchdog(event, self._root, names_every_file=self._names_every_file)
        if ours is not None:
            self._inbox.put_event(ours)


def _stop(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive() and observer is not threading.current_thread():
        observer.join()
