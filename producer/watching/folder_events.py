"""Expands folder events into events of their files.

watchdog cannot name the files of a folder that was deleted or moved; the index can. Expanding takes a while, so it
runs in a thread of its own and delays neither the event loop nor a scan.
"""

import queue
import threading
from contextlib import suppress

from lookalike.library.kinds import Library
from lookalike.library.paths import escape_path
from lookalike.messages import MAX_PATH_CHARS
from producer.debounce import MAX_PATHS, Debouncer
from producer.scanning.index_client import IndexClient
from producer.shutdown import check, sleep
from producer.watching.events import (
    Event,
    FolderAppeared,
    FolderEvent,
    FolderGone,
    FolderMoved,
    Gone,
    Lost,
    Moved,
    Touched,
)
from producer.watching.watcher import Inbox

MAX_FOLDERS = 10_000


class FolderExpander:
    """Folder events that wait to be expanded."""

    def __init__(
        self,
        library: Library,
        index: IndexClient,
        inbox: Inbox,
        debouncer: Debouncer,
        stop: threading.Event,
    ) -> None:
        self._library = library
        self._index = index
        self._inbox = inbox
        self._debouncer = debouncer
        self._stop = stop
        self._waiting: queue.Queue[FolderEvent | None] = queue.Queue(MAX_FOLDERS)

    def __len__(self) -> int:
        return self._waiting.unfinished_tasks

    def enqueue_event(self, event: FolderEvent) -> None:
        """Enqueues a folder event; when there are too many, a scan is requested instead."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._inbox.put_event(Lost("too many folders changed at once"))

    def wake(self) -> None:
        """Interrupts the wait, so that the thread sees that the producer ends."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)

    def expand_events(self) -> None:
        """Expands events until the producer ends. Raises Stopped."""
        while True:
            event = self._waiting.get()
            try:
                check(self._stop)
                if event is not None:
                    self._expand(event)
            finally:
                self._waiting.task_done()

    def _expand(self, event: FolderEvent) -> None:
        match event:
            case FolderAppeared(path):
                self._appeared(path)
            case FolderGone(path):
                self._left(path, None)
            case FolderMoved(old, new):
                self._left(old, new)
                # Files that the index did not know yet moved too.
                self._appeared(new)

    def _appeared(self, folder: str) -> None:
        if self._library.candidates.includes_folder(folder):
            for found in self._library.files(folder):
                self._put_when_room(Touched(found.path, closed=True))

    def _left(self, folder: str, now: str | None) -> None:
        escaped = escape_path(folder)
        if len(escaped) > MAX_PATH_CHARS:
            # Nothing below it can be in the index.
            return
        for file in self._index.files(under=escaped):
            old = self._library.unescape(file.path)
            if not self._library.is_gone(old):
                continue
            self._put_when_room(
                Gone(old) if now is None else Moved(old, self._library.unescape(now + file.path[len(escaped) :]))
            )

    def _put_when_room(self, event: Event) -> None:
        while len(self._debouncer) + len(self._inbox) >= MAX_PATHS // 2:
            sleep(self._stop, 0.05)
        check(self._stop)
        self._inbox.put_event(event)
