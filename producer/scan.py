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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lookalike.bounds import MAX_MESSAGE_PATHS
from lookalike.library.folder import FileEntry, FileVersion
from lookalike.library.paths import escape_path, is_utf8
from lookalike.log import fields
from lookalike.messages import CountsReply, KnownFile
from producer.batcher import Change
from producer.events import Event, Touched
from producer.index_client import IndexClient
from producer.library import EMPTY, Library
from producer.publisher import ScanPublisher

log = logging.getLogger(__name__)

# About 60 MB. What does not fit in is removed by the scan after this one.
MOST_VANISHED = 200_000
# Files of one size and mtime that are looked through for a name: thousands of twins must not cost a square.
MOST_TWINS = 50


class LibraryOffline(Exception):
    """The library is not there: nothing can be said about its files."""


class ScanSuperseded(Exception):
    """Something was lost since the scan began, and it has gone on for long: begin anew."""


def changed_files(found: Iterable[FileEntry], known: Mapping[str, KnownFile]) -> list[FileEntry]:
    """The files that the index does not know in this version. `known` has the names as messages say them.

    A file whose name cannot be said is rejected by name: known is known, whatever it looks like.
    """
    return [
        file
        for file in found
        if (entry := known.get(escape_path(file.path))) is None
        or (is_utf8(file.path) and not entry.describes(*file.stamp))
    ]


class MissingFiles:
    """Files of the index that are not on the disk any more, found again by size and mtime if they only moved."""

    def __init__(self, most_paths: int = MOST_VANISHED) -> None:
        self._most_paths = most_paths
        self._kept = 0
        self._by_looks: dict[tuple[int, int], list[str]] = {}
        # Those that found no room here.
        self.left_over = 0

    def __len__(self) -> int:
        return self._kept + self.left_over

    def add(self, path: str, stamp: FileVersion) -> None:
        """Takes a file that is not where the index says."""
        if self._kept >= self._most_paths:
            self.left_over += 1
            return
        self._kept += 1
        self._by_looks.setdefault(stamp.looks, []).append(path)

    def take_move_source(self, new: FileEntry) -> str | None:
        """The old name of a new file, handed out once; None if nothing of its size and mtime vanished."""
        paths = self._by_looks.get(new.stamp.looks)
        if not paths:
            return None
        # The same name in another folder is a better guess than another name of the same size and mtime.
        name = new.path.rpartition("/")[2]
        at = next((at for at, path in enumerate(paths[:MOST_TWINS]) if path.rpartition("/")[2] == name), -1)
        self._kept -= 1
        old = paths.pop(at)
        if not paths:
            del self._by_looks[new.stamp.looks]
        return old

    def rest(self) -> list[str]:
        """What did not move: it was removed."""
        return [path for paths in self._by_looks.values() for path in paths]


@dataclass
class DeletionGuard:
    """The rule and the permission. The scan reads `is_allowed` and sets `is_used`; the reporter talks to Redis.

    A disk that is not mounted looks the same as a folder that was emptied.
    """

    most_share: float
    most_files: int
    is_allowed: bool = False
    is_used: bool = False
    # Whether the last scan held removals back.
    is_asking: bool = False

    def must_ask(self, removed: int, indexed: int) -> bool:
        """Whether that many of the files in the index are too many to remove unasked."""
        return removed >= self.most_files and removed > self.most_share * indexed

    def blocks(self, removed: int, indexed: int) -> bool:
        """Whether the scan must not remove them now. A permission is used up by the scan that needs it."""
        self.is_asking = self.must_ask(removed, indexed) and not self.is_allowed
        self.is_used = self.is_used or (self.must_ask(removed, indexed) and self.is_allowed)
        return self.is_asking


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
            self._outlet.add(Change((new.path,), gone, new.stamp.size_bytes), new.stamp)
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
            path = self._library.raw(file.path)
            if self._library.is_gone(path):
                vanished.add(path, FileVersion(file.size_bytes, file.mtime_ns, file.ctime_ns))
        return vanished

    def _different(self) -> Iterator[FileEntry]:
        files = self._library.files()
        while chunk := list(itertools.islice(files, MAX_MESSAGE_PATHS)):
            self.check()
            known = self._index.known([escape_path(file.path) for file in chunk])
            for file in changed_files(chunk, known):
                if self._is_pending(file.path, file.stamp):
                    continue
                if self._unix_s() - file.stamp.mtime_ns / 1e9 < self._settle_s:
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
