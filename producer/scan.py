"""A scan: the whole library against the whole index, in constant memory; what differs goes to the `rescan` queue.

1. Count the files (producer/file_counter.py), so that their number is known at once.
2. Page through the index and look which of its files are still there.
3. Walk the library and ask the index, 1,000 files at a time, what it knows of them. New files that have
   the size and mtime of a vanished one are its new name.
4. Remove what vanished and did not move, after everything else.

Whatever it needs and cannot reach, it waits for. Only a library that leaves in the middle ends it early.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterator

from lookalike.library.folder import FileEntry, FileVersion
from lookalike.library.paths import escape_path
from lookalike.log import fields
from lookalike.messages import MAX_MESSAGE_PATHS, CountsReply
from producer.batcher import Change
from producer.comparison import MissingFiles, changed_files
from producer.deletion_guard import DeletionGuard
from producer.events import Event, Touched
from producer.index_client import IndexClient
from producer.library import EMPTY, Library
from producer.scan_publisher import ScanPublisher

log = logging.getLogger(__name__)


class LibraryOffline(Exception):
    """The library is not there: nothing can be said about its files."""


class ScanSuperseded(Exception):
    """Something was lost since the scan began, and it has gone on for long: begin anew."""


class Scan:
    """What one scan needs to know and whom it tells. `run` once."""

    def __init__(
        self,
        library: Library,
        index: IndexClient,
        outlet: ScanPublisher,
        *,
        removals: DeletionGuard,
        settle_s: float,
        is_pending: Callable[[str, FileVersion], bool],
        is_overtaken: Callable[[], bool],
        touch: Callable[[Event], None],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._index = index
        self._outlet = outlet
        self._removals = removals
        self._settle_s = settle_s
        self._is_pending = is_pending
        self._is_overtaken = is_overtaken
        self._touch = touch
        self._unix_s = unix_s
        self._identity = library.identity()
        self.warning = ""
        # Whether there is more to remove than one scan keeps in memory.
        self.is_partial = False

    def compare(self, counts: CountsReply) -> None:
        """Enqueues everything that differs. Raises Offline, Overtaken, Stopped."""
        if self._library.absence() == EMPTY and counts.indexed + counts.rejected > 0:
            raise LibraryOffline(EMPTY)
        vanished = self._vanished()
        found = moved = 0
        for new in self._different():
            old = vanished.take_move_source(new)
            found, moved = found + 1, moved + (old is not None)
            gone = () if old is None else (old,)
            self._outlet.add(Change((new.path,), gone, new.version.size_bytes), new.version)
        self._outlet.flush()
        removed = self._remove(vanished, counts)
        if found or removed:
            log.info(fields("library compared", different=found, moved=moved, removed=removed))

    def check(self) -> None:
        """Raises Offline if the library is not the one that the scan began with, Overtaken if it began too early."""
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        if self._library.identity() != self._identity:
            raise LibraryOffline("was replaced by another folder")
        if self._is_overtaken():
            raise ScanSuperseded

    def _vanished(self) -> MissingFiles:
        vanished = MissingFiles()
        for at, file in enumerate(self._index.files()):
            if at % MAX_MESSAGE_PATHS == 0:
                self.check()
            path = self._library.unescape(file.path)
            if self._library.is_gone(path):
                vanished.add(path, FileVersion(file.size_bytes, file.mtime_ns, file.ctime_ns))
        return vanished

    def _different(self) -> Iterator[FileEntry]:
        files = self._library.files()
        while chunk := list(itertools.islice(files, MAX_MESSAGE_PATHS)):
            self.check()
            known = self._index.known([escape_path(file.path) for file in chunk])
            for file in changed_files(chunk, known):
                if self._is_pending(file.path, file.version):
                    continue
                if self._unix_s() - file.version.mtime_ns / 1e9 < self._settle_s:
                    # Somebody may still be writing to it.
                    self._touch(Touched(file.path))
                else:
                    yield file

    def _remove(self, vanished: MissingFiles, counts: CountsReply) -> int:
        indexed = counts.indexed + counts.rejected
        if self._removals.blocks(len(vanished), indexed):
            self.warning = (
                f"{len(vanished)} of {indexed} files in the index are not in the library any more. "
                "That many are not removed unasked: check that every disk and share is mounted, "
                "or run `lookalike sync --allow-removals`."
            )
            log.warning(self.warning)
            return 0
        if not len(vanished):
            return 0
        self._outlet.wait_until_done()
        self.check()
        if self._library.absence() == EMPTY:
            raise LibraryOffline(EMPTY)
        removed = 0
        for path in vanished.rest():
            if self._library.is_gone(path):
                self._outlet.add(Change(gone=(path,)), None)
                removed += 1
        self._outlet.flush()
        self.is_partial = vanished.left_over > 0
        return removed
