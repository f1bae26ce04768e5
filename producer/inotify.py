"""watchdog's inotify observer that also tells what the library only logs or keeps to itself. Linux only.

watchdog 7.1 rebuilds its watches after an overflow of the kernel's queue and logs it; a folder below the
root that could not be watched because the watches are exhausted, it passes over without a word.
"""

import errno
from collections.abc import Callable

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor

EXHAUSTED = (errno.ENOSPC, errno.EMFILE)


class AttentiveInotify(InotifyFD):
    """Reads the kernel's events; tells of overflows, and of watches that the kernel refused."""

    def __init__(self, on_overflow: Callable[[], None], on_exhausted: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow
        self._on_exhausted = on_exhausted

    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        """Adds a watch."""
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._on_exhausted()
            raise

    def handle_event(self, event: InotifyEvent) -> None:
        """Handles one event; after an overflow the watches are complete again before anybody is told."""
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()


class AttentiveObserver(BaseObserver):
    """Observes by inotify; unpaired halves of a move are told as moves from or to nowhere."""

    def __init__(self, on_overflow: Callable[[], None], on_exhausted: Callable[[], None]) -> None:
        self._inotify = AttentiveInotify(on_overflow, on_exhausted)
        self._inotify.start()
        super().__init__(InotifyFullEmitter, inotify_fd=self._inotify)

    def is_reading(self) -> bool:
        """Whether the thread that reads the kernel's events lives."""
        return self._inotify.is_alive()

    def on_thread_stop(self) -> None:
        """Stops reading."""
        super().on_thread_stop()
        self._inotify.stop()
        self._inotify.join()
