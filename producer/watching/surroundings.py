"""Waits for what happens to the library's folder from outside, without looking at it. Linux.

A folder that is renamed or removed, as one above it may be, is reported by inotify for each of them; a mount by the
kernel's table of mounts, which can be waited for. None of it reads a disk, or makes the processor wake up by time.
"""

import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

from producer.watching.mounts import TABLE, mounts_at

SELF = Mask(InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_DELETE_SELF)


class Surroundings:
    """One folder and all above it. `close` ends it. Raises OSError if the system has no inotify instance left."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mounted = mounts_at(root)
        self._closing, self._is_closed = threading.Lock(), False
        self._inotify, self._told = InotifyFD(), _Told(lambda: None)
        self._woken, self._wake = os.pipe()
        self._table = os.open(TABLE, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        # It can always be read; that it changed is told as an exception, proc(5).
        self._poll.register(self._table, select.POLLPRI)
        self._inotify.start()

    def watch(self) -> None:
        """Watches the folder and those above it as they are now; to be called again after each change."""
        self._end_watching()
        self._inotify, self._told = InotifyFD(), _Told(self.wake)
        self._inotify.start()
        for folder in (self._root, *self._root.parents):
            try:
                self._inotify.add_callback(os.fsencode(folder), SELF, self._told, CallbackId(0))
            except OSError:
                # Gone, or not ours to see: a look at the library tells so.
                continue

    def wait(self, timeout_s: float) -> bool:
        """Waits for something to happen to the folder; False if nothing did.

        A mount counts if it is in the folder, or over it: those of other programs are told as well.
        """
        until_s = time.monotonic() + timeout_s
        while found := self._poll.poll(max(0.0, until_s - time.monotonic()) * 1000):
            if any(descriptor == self._woken for descriptor, _ in found):
                os.read(self._woken, 4096)
                return True
            mounted, self._mounted = self._mounted, mounts_at(self._root)
            if mounted != self._mounted:
                return True
        return False

    def wake(self) -> None:
        """Ends the wait; from any thread, also after `close`."""
        with self._closing:
            if not self._is_closed:
                os.write(self._wake, b"!")

    def close(self) -> None:
        """Ends watching."""
        self._end_watching()
        with self._closing:
            self._is_closed = True
            for descriptor in (self._woken, self._wake, self._table):
                os.close(descriptor)

    def _end_watching(self) -> None:
        # To end it removes its watches, which it tells as well.
        self._told.wake = lambda: None
        self._inotify.stop()
        self._inotify.join()


class _Told:
    """Called by watchdog's thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def on_event(self, _event: InotifyEvent) -> None:
        self.wake()

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        self.wake()

    def on_queue_overflow(self) -> None:
        self.wake()
