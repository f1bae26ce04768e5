"""A scan: compares the whole library with the whole index in constant memory; publishes the difference to `rescan`.

1. Count the files (producer/file_counter.py), so that their number is known at once.
2. Page through the index and check which of its files are missing from the library.
3. Walk the library and look up the files in the index, 1,000 at a time. A new file with the size and mtime of a
   missing one is its new name.
4. Delete the missing files that did not move, after everything else.

A scan waits for a broker, store or worker that is unavailable. It ends early when the library goes offline or
another scan supersedes it.
"""

import itertools
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lookalike.library.folder import EMPTY, FileEntry, FolderLibrary
from lookalike.library.paths import escape_path, is_utf8
from lookalike.library.version import FileVersion, move_key
from lookalike.log import get_logger
from lookalike.messages import MAX_MESSAGE_PATHS, CountsReply, KnownFile
from producer.batcher import Change
from producer.events import Event, Touched
from producer.index_client import IndexClient
from producer.publisher import ScanPublisher

log = get_logger(__name__)

# About 60 MB. The next scan deletes the files beyond that.
MAX_MISSING_PATHS = 200_000
# Files of one size and mtime that are searched for a name: avoids O(n^2) when thousands share size and mtime.
MAX_SAME_VERSION = 50


class LibraryOffline(Exception):
    """The library is unavailable: a file that is not found may still exist."""


class ScanSuperseded(Exception):
    """Another scan was requested, and this one has run for long: restart."""


def changed_files(found: Iterable[FileEntry], known: Mapping[str, KnownFile]) -> list[FileEntry]:
    """The files that the index does not know in this version. `known` has escaped paths.

    A file whose name is not UTF-8 is rejected for its name, so its version is not compared.
    """
    return [
        file
        for file in found
        if (entry := known.get(escape_path(file.path))) is None
        or (is_utf8(file.path) and not entry.describes(file.version))
    ]


class MissingFiles:
    """Files of the index that are missing from the library, matched with new files by size and mtime."""

    def __init__(self, max_paths: int = MAX_MISSING_PATHS) -> None:
        self._max_paths = max_paths
        self._kept = 0
        self._by_move_key: dict[Hashable, list[str]] = {}
        # Files beyond `max_paths`: counted and not kept.
        self.overflowed = 0

    def __len__(self) -> int:
        return self._kept + self.overflowed

    def add_file(self, path: str, version: FileVersion) -> None:
        """Adds a file of the index that is not in the library."""
        if self._kept >= self._max_paths:
            self.overflowed += 1
            return
        self._kept += 1
        self._by_move_key.setdefault(move_key(version), []).append(path)

    def take_move_source(self, new: FileEntry) -> str | None:
        """The old name of a new file, removed from here; None if no missing file has its size and mtime."""
        paths = self._by_move_key.get(move_key(new.version))
        if not paths:
            return None
        # The same name in another folder is a better guess than another name of the same size and mtime.
        name = new.path.rpartition("/")[2]
        at = next((at for at, path in enumerate(paths[:MAX_SAME_VERSION]) if path.rpartition("/")[2] == name), -1)
        self._kept -= 1
        old = paths.pop(at)
        if not paths:
            del self._by_move_key[move_key(new.version)]
        return old

    def unmoved_paths(self) -> list[str]:
        """Files that were not matched with a new one: they were deleted."""
        return [path for paths in self._by_move_key.values() for path in paths]


@dataclass
class DeletionGuard:
    """Blocks a mass deletion until a person allows it: an unmounted disk looks like an emptied folder.

    The scan reads `is_allowed` and sets `is_used`; the reporter copies both from and to Redis.
    """

    max_share: float
    max_files: int
    is_allowed: bool = False
    is_used: bool = False
    # Whether the last scan was blocked.
    is_blocking: bool = False

    def needs_permission(self, removed: int, indexed: int) -> bool:
        """Whether deleting so many of the indexed files needs permission."""
        return removed >= self.max_files and removed > self.max_share * indexed

    def blocks(self, removed: int, indexed: int) -> bool:
        """Whether the scan must not delete them now. The scan that needs a permission uses it up."""
        self.is_blocking = self.needs_permission(removed, indexed) and not self.is_allowed
        self.is_used = self.is_used or (self.needs_permission(removed, indexed) and self.is_allowed)
        return self.is_blocking


class Scan:
    """One comparison of the library with the index. Call `compare` once."""

    def __init__(
        self,
        library: FolderLibrary,
        index: IndexClient,
        scan_publisher: ScanPublisher,
        *,
        deletion_guard: DeletionGuard,
        settle_s: float,
        is_pending: Callable[[str, FileVersion], bool],
        is_superseded: Callable[[], bool],
        put_event: Callable[[Event], None],
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._index = index
        self._scan_publisher = scan_publisher
        self._deletion_guard = deletion_guard
        self._settle_s = settle_s
        self._is_pending = is_pending
        self._is_superseded = is_superseded
        self._put_event = put_event
        self._unix_s = unix_s
        self._identity = library.identity()
        self.warning = ""
        # Paths of the index, as messages have them, that the rules leave out.
        self._left_out: list[str] = []
        # Whether more files are missing than one scan keeps in memory.
        self.is_partial = False

    def compare(self, counts: CountsReply) -> None:
        """Publishes everything that differs. Raises LibraryOffline, ScanSuperseded, Stopped."""
        if self._library.absence() == EMPTY and counts.indexed + counts.rejected > 0:
            raise LibraryOffline(EMPTY)
        missing = self._missing_files()
        found = moved = 0
        for new in self._differing_files():
            old = missing.take_move_source(new)
            found, moved = found + 1, moved + (old is not None)
            gone = () if old is None else (old,)
            self._scan_publisher.publish_change(
                Change((new.path,), gone, new.version.size_bytes), new.version, self.check
            )
        self._scan_publisher.publish_rest(self.check)
        left_out = self._delete_left_out()
        removed = self._delete_missing(missing, counts)
        if found or removed or left_out:
            log.info("library compared", different=found, moved=moved, removed=removed, left_out=left_out)

    def check(self) -> None:
        """Raises LibraryOffline if the library is not the one that the scan began with, and ScanSuperseded."""
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        if self._library.identity() != self._identity:
            raise LibraryOffline("was replaced by another folder")
        if self._is_superseded():
            raise ScanSuperseded

    def _missing_files(self) -> MissingFiles:
        missing = MissingFiles()
        for at, file in enumerate(self._index.files()):
            if at % MAX_MESSAGE_PATHS == 0:
                self.check()
            path = self._library.unescape(file.path)
            if not self._library.candidates.is_candidate(path):
                # Whether or not it is there: the rules say so, and a setting is no accident.
                self._left_out.append(file.path)
            elif self._library.is_gone(path):
                missing.add_file(path, file.file_version)
        return missing

    def _differing_files(self) -> Iterator[FileEntry]:
        files = self._library.files()
        while chunk := list(itertools.islice(files, MAX_MESSAGE_PATHS)):
            self.check()
            known = self._index.known([escape_path(file.path) for file in chunk])
            for file in changed_files(chunk, known):
                if self._is_pending(file.path, file.version):
                    continue
                if self._unix_s() - file.version.mtime_ns / 1e9 < self._settle_s:
                    # A program may still be writing to it.
                    self._put_event(Touched(file.path))
                else:
                    yield file

    def _delete_left_out(self) -> int:
        """Has the files removed from the index that the rules leave out, however many: a setting is no accident."""
        found = self._left_out[:MAX_MISSING_PATHS]
        self.is_partial = len(self._left_out) > len(found)
        if found:
            self._scan_publisher.publish_left_out(found, self._library.candidates, self.check)
            self.warning = f"{len(found)} files of the index are left out by the rules now, and are removed from it."
        return len(found)

    def _delete_missing(self, missing: MissingFiles, counts: CountsReply) -> int:
        indexed = counts.indexed + counts.rejected
        if self._deletion_guard.blocks(len(missing), indexed):
            self.warning += (
                f"{len(missing)} of {indexed} files in the index are not in the library any more. "
                "That many are not removed unasked: check that every disk and share is mounted, "
                "or run `lookalike sync --allow-removals`."
            )
            log.warning(self.warning.strip())
            return 0
        if not len(missing):
            return 0
        self._scan_publisher.wait_for_workers(self.check)
        self.check()
        if self._library.absence() == EMPTY:
            raise LibraryOffline(EMPTY)
        removed = 0
        for path in missing.unmoved_paths():
            if self._library.is_gone(path):
                self._scan_publisher.publish_change(Change(gone=(path,)), None, self.check)
                removed += 1
        self._scan_publisher.publish_rest(self.check)
        self.is_partial = self.is_partial or missing.overflowed > 0
        return removed
