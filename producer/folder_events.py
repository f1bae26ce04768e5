"""What happens to a folder happens to its files: turns folder events into file events.

watchdog is silent about the files of a folder that left, because it cannot know them; the index does. This
may take a while, so it has a thread of its own and holds up neither the loop nor a scan.
"""

import queue
import threading
from collections.abc import Callable

from lookalike.library.paths import escape_path
from producer.events import Event, FolderAppeared, FolderEvent, FolderGone, FolderMoved, Gone, Lost, Moved, Touched
from producer.index_client import IndexClient
from producer.library import Library
from producer.shutdown import check, sleep

MOST_FOLDERS = 10_000


class Folders:
    """Folder events that wait to be told as file events."""

    def __init__(
        self,
        library: Library,
        index: IndexClient,
        tell: Callable[[Event], None],
        has_room: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        self._library = library
        self._index = index
        self._tell = tell
        self._has_room = has_room
        self._stop = stop
        self._waiting: queue.Queue[FolderEvent] = queue.Queue(MOST_FOLDERS)

    def __len__(self) -> int:
        return self._waiting.unfinished_tasks

    def take(self, event: FolderEvent) -> None:
        """Leaves a folder event to be told; too many of them ask for a scan instead."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._tell(Lost("too many folders changed at once"))

    def run(self) -> None:
        """Tells what happened to files until the producer ends. Raises Stopped."""
        while True:
            check(self._stop)
            try:
                event = self._waiting.get(timeout=0.25)
            except queue.Empty:
                continue
            try:
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
                # Also what the index did not know yet.
                self._appeared(new)

    def _appeared(self, folder: str) -> None:
        if self._library.candidates.includes_folder(folder):
            for found in self._library.files(folder):
                self._say(Touched(found.path, closed=True))

    def _left(self, folder: str, now: str | None) -> None:
        said = escape_path(folder)
        for file in self._index.files(under=said):
            old = self._library.unescape(file.path)
            if not self._library.is_gone(old):
                continue
            self._say(Gone(old) if now is None else Moved(old, self._library.unescape(now + file.path[len(said) :])))

    def _say(self, event: Event) -> None:
        while not self._has_room():
            sleep(self._stop, 0.05)
        check(self._stop)
        self._tell(event)
