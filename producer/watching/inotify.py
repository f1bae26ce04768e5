"""watchdog's inotify observer, extended to report overflows and exhausted watches. Linux only.

watchdog 7.1 rebuilds its watches after an overflow of the kernel's queue and only logs it; it silently skips a folder
below the root that could not be watched because the watches are used up; it keeps watching a folder that was moved
out of the root under its former name; and when several folders have the same name in turn
(`mkdir tmp; mv tmp 1; mkdir tmp; mv tmp 2`), it may confuse them and miss the events of one.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import GroupedInotifyEvent, PathedInotifyEvent

EXHAUSTED = (errno.ENOSPC, errno.EMFILE)
# A file that no one else opens and that lies on no disk: to open it is an event.
OWN_FILE = Path("/proc/self/comm")
PULSE = CallbackId(0)


class OverflowAwareInotify(InotifyFD):
    """Reads the kernel's events; reports overflows, and watches that the kernel refused."""

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
        """Handles one event; after an overflow the watches are rebuilt before the overflow is reported."""
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()

    def pulse_s(self, within_s: float) -> float | None:
        """Seconds until an event of our own has come behind all others; None if it does not come in time.

        It shows that the kernel reports, and that our thread reads; a disk has no part in it.
        """
        pulse = _Pulse()
        try:
            watch = self.add_callback(os.fsencode(OWN_FILE), Mask(InotifyConstants.IN_OPEN), pulse, PULSE)
            begun_s = time.monotonic()
            OWN_FILE.open().close()
            came = pulse.came.wait(within_s)
            took_s = time.monotonic() - begun_s
            self.remove_callbacks([(watch, PULSE)])
        except OSError:
            return None
        return took_s if came else None

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        # watchdog warns when a moved folder comes back, because the kernel gives it the same descriptor.
        watch = self._get_or_create_watch(path, mask)
        watch.callbacks[id_] = callback
        return watch.wd


class _Pulse:
    """Called by watchdog's thread for the event of our own."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def on_event(self, _event: InotifyEvent) -> None:
        self.came.set()

    def on_watch_deleted(self, _wd: WatchDescriptor) -> None:
        """Nothing: it is removed after each pulse."""

    def on_queue_overflow(self) -> None:
        """Nothing: the library's own watches tell of that."""


class OverflowAwareWatchGroup(InotifyWatchGroup):
    """The watches of the library; those of a folder that was moved out can be removed.

    The kernel knows a folder by its inode, watchdog by its name at the time when the event is handled, which is later.
    """

    # The last folder that left its name, by the number that both halves of a move carry.
    left: tuple[int, bytes | None] = (0, None)

    def on_event(self, event: InotifyEvent) -> None:
        """Handles an event; a folder that moved is watched under its new name, even if another one had that name.

        Of two folders that were exchanged each has the name of the other by now, so the old name is looked at as well.
        """
        if event.is_moved_from and event.is_directory:
            with self._lock:
                self.left = (event.cookie, self._build_event_source_path(event))
        super().on_event(event)
        if event.is_moved_to and event.is_directory:
            cookie, old = self.left
            with self._lock:
                for path in (self._build_event_source_path(event), old if cookie == event.cookie else None):
                    if self.is_active and path is not None and os.path.isdir(path):  # noqa: PTH112 - names in bytes
                        self._add_all_callbacks(path)

    def restore_watches(self) -> None:
        """Adds missing watches, and corrects the path of each."""
        for folder, names, _ in os.walk(self.path):
            with self._lock:
                if not self.is_active:
                    return
                for name in names:
                    path = os.path.join(folder, name)  # noqa: PTH118 - watchdog names folders in bytes
                    if not os.path.islink(path):  # noqa: PTH114
                        self._add_callback(path)

    def is_watching_root(self) -> bool:
        """Whether the root is watched; the kernel removes the watch when the disk is unmounted."""
        return self.path in self._active_callbacks_by_path

    def forget_folder(self, folder: bytes) -> None:
        """Removes the watches of a folder and everything below, unless they have another name by now.

        The event comes late: the folder may be back, or another folder may have its name.
        """
        below = folder + os.sep.encode()
        with self._lock:
            if os.path.isdir(folder):  # noqa: PTH112 - watchdog names folders in bytes
                self._add_all_callbacks(folder)
            known = [path for path in self._active_callbacks_by_path if path == folder or path.startswith(below)]
            for path in known:
                if os.path.isdir(path):  # noqa: PTH112
                    continue
                number = self._active_callbacks_by_path[path]
                if self._active_callbacks_by_watch.get(number) == path:
                    self._remove_callbacks([number])
                else:
                    del self._active_callbacks_by_path[path]

    def _add_callback(self, path: bytes) -> None:
        try:
            number = self._inotify_fd.add_callback(path, self.event_mask, self._callback, self._id)
        except OSError:
            # A folder below the root may be gone again.
            if path == self.path:
                raise
            return
        stale = self._active_callbacks_by_path.get(path)
        if stale is not None and stale != number and self._active_callbacks_by_watch.get(stale) == path:
            self._remove_callbacks([stale])
        before = self._active_callbacks_by_watch.get(number)
        if before is not None and before != path and self._active_callbacks_by_path.get(before) == number:
            del self._active_callbacks_by_path[before]
        self._active_callbacks_by_path[path] = number
        self._active_callbacks_by_watch[number] = path

    def _remove_watch_internally(self, wd: WatchDescriptor) -> None:
        path = self._active_callbacks_by_watch.pop(wd, None)
        if path is not None and self._active_callbacks_by_path.get(path) == wd:
            del self._active_callbacks_by_path[path]


class OverflowAwareEmitter(InotifyFullEmitter):
    """Reports a move across the border of the root as a move without source or destination."""

    _inotify: OverflowAwareWatchGroup | None

    def on_thread_start(self) -> None:
        """Starts watching."""
        self._inotify = OverflowAwareWatchGroup(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            follow_symlink=self.watch.follow_symlink,
        )

    def build_and_queue_event(self, event: GroupedInotifyEvent, *, full_events: bool = True) -> None:
        """Queues the event; removes the watches of a folder that was moved out."""
        if self._inotify is not None and isinstance(event, PathedInotifyEvent) and _is_folder_moved_out(event.ev):
            self._inotify.forget_folder(event.path)
        super().build_and_queue_event(event, full_events=full_events)

    def restore_watches(self) -> None:
        """Adds missing watches, and corrects the path of each."""
        if self._inotify is not None:
            self._inotify.restore_watches()

    def is_watching_root(self) -> bool:
        """Whether the root is watched."""
        return self._inotify is not None and self._inotify.is_watching_root()


class OverflowAwareObserver(BaseObserver):
    """Observes by inotify."""

    def __init__(self, on_overflow: Callable[[], None], on_exhausted: Callable[[], None]) -> None:
        self._inotify = OverflowAwareInotify(on_overflow, on_exhausted)
        self._inotify.start()
        super().__init__(OverflowAwareEmitter, inotify_fd=self._inotify)

    def is_reading(self) -> bool:
        """Whether the thread that reads the kernel's events is alive, and the root is watched."""
        return self._inotify.is_alive() and all(emitter.is_watching_root() for emitter in self._observed())

    def restore_watches(self) -> None:
        """Adds missing watches, and corrects the path of each."""
        for emitter in self._observed():
            emitter.restore_watches()

    def pulse_s(self, within_s: float) -> float | None:
        """See OverflowAwareInotify."""
        return self._inotify.pulse_s(within_s)

    def on_thread_stop(self) -> None:
        """Stops reading."""
        super().on_thread_stop()
        self._inotify.stop()
        self._inotify.join()

    def _observed(self) -> list[OverflowAwareEmitter]:
        return [emitter for emitter in self.emitters if isinstance(emitter, OverflowAwareEmitter)]


def _is_folder_moved_out(event: InotifyEvent) -> bool:
    return event.is_moved_from and event.is_directory
