"""What a scan decides: from what library and index have and what is on its way to the changes to send. Pure.

The index is gone through first, then the library, in chunks, so memory stays constant.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lookalike.library.folder import FileEntry
from lookalike.library.paths import escape_path, is_utf8, unescape_path
from lookalike.library.version import FileVersion, move_key
from lookalike.messages import KnownFile
from producer.publishing.batcher import Change

# About 60 MB. The next scan deletes the files beyond that.
MAX_MISSING_PATHS = 200_000
# Files of one size and mtime that are searched for a name: avoids O(n^2) when thousands share size and mtime.
MAX_SAME_VERSION = 50


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


class ScanPlan:
    """The decisions of one scan.

    `is_gone` is the first witness of a deletion; `is_missing` is the same for each file of the index, where there is a
    quicker way for many. `may_wait` tells of which files a message is under way, or will be sent once they settle.
    """

    def __init__(
        self,
        is_candidate: Callable[[str], bool],
        is_gone: Callable[[str], bool],
        may_wait: Callable[[FileEntry], bool] = lambda _: False,
        *,
        is_missing: Callable[[str], bool] | None = None,
    ) -> None:
        self._is_candidate = is_candidate
        self._is_gone = is_gone
        self._is_missing = is_missing or is_gone
        self._may_wait = may_wait
        self.missing = MissingFiles()
        # Paths of the index, as messages have them, that the rules leave out.
        self.left_out: list[str] = []

    def index_has(self, file: KnownFile) -> None:
        """Looks at a file of the index."""
        name = unescape_path(file.path)
        if not self._is_candidate(name):
            # Whether or not it is there: the rules say so, and a setting is no accident.
            self.left_out.append(file.path)
        elif self._is_missing(name):
            self.missing.add_file(name, file.file_version)

    def library_has(
        self, files: Iterable[FileEntry], known: Mapping[str, KnownFile]
    ) -> Iterator[tuple[Change, FileVersion]]:
        """The changes for these files of the library, of which the index knows `known`; a move has its old name."""
        for new in changed_files(files, known):
            if not self._may_wait(new):
                old = self.missing.take_move_source(new)
                gone = () if old is None else (old,)
                yield Change((new.path,), gone, new.version.size_bytes), new.version

    def removals(self) -> Iterator[Change]:
        """The changes for what is missing still, once all else is done: what did not move was deleted."""
        for name in self.missing.unmoved_paths():
            if self._is_gone(name):
                yield Change(gone=(name,))
