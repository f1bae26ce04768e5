"""The objects of a library on object storage: which are candidates, their versions, which are gone.

As folder.py is for a folder. A listing alone removes nothing: what it does not show is asked for by its key, and the
worker asks once more (witnesses.py).
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress

from lookalike.library.address import BucketAddress
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import EMPTY, Count, FileEntry
from lookalike.library.links import Links
from lookalike.library.objects import Objects, StoreFault
from lookalike.library.paths import unescape_path
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.library.version import FileVersion


class BucketLibrary:
    """The objects below an address. One whose key ends with a slash stands for a folder and is no image."""

    def __init__(self, root: BucketAddress, objects: Objects, candidates: Candidates) -> None:
        self.root = root
        # Replaced as a whole when the ignore file changes.
        self.candidates = candidates
        # There are none.
        self.links = Links(max_links=0)
        self.ignore_files = frozenset({IGNORE_FILE})
        self._objects = objects
        # Hashes of the paths that the last count listed, in order: 8 bytes each, so 8 MB for a million.
        self._counted = array("q")

    def includes_folder(self, folder: str) -> bool:
        """Whether the folder is part of the library by the rules as they are now."""
        return self.candidates.includes_folder(folder)

    def stat(self, path: str) -> FileVersion | None:
        """The object as it is now; None if there is none, or the store does not tell."""
        with suppress(StoreFault):
            return self._objects.head(path)
        return None

    def is_gone(self, path: str) -> bool:
        """Whether the store says that it has no such key: the first witness of a deletion (witnesses.py)."""
        with suppress(StoreFault):
            return self._objects.is_missing(path)
        return False

    def is_missing(self, path: str) -> bool:
        """The same in a scan, for every file of the index: only what the last count did not list is asked for."""
        mark = hash(path)
        at = bisect_left(self._counted, mark)
        return not (at < len(self._counted) and self._counted[at] == mark) and self.is_gone(path)

    def unescape(self, path: str) -> str:
        """The key below the prefix of a path in a message."""
        return unescape_path(path)

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """An object's bytes; None if it is gone, has more, or cannot be read now."""
        try:
            found = self._objects.download(path)
            if found is None or found.version.size_bytes > most_bytes:
                return None
            return b"".join(found.pieces)
        except StoreFault:
            return None

    def files(self, under: str = "") -> Iterator[FileEntry]:
        """Every candidate in this folder and below. Raises LibraryOffline in the middle if the listing fails."""
        for path, version in self._listed(under):
            if self.candidates.is_candidate(path):
                yield FileEntry(path, version)

    def ignored(self) -> Iterator[tuple[str, str]]:
        """What is left out, and the rule that does it. Raises LibraryOffline."""
        for path, _ in self._listed(""):
            rule = self.candidates.why_left_out(path)
            if rule is not None:
                yield path, rule

    def absence(self) -> str | None:
        """Why the library is unavailable ("is missing", ...); None if it is available."""
        try:
            return None if self._objects.has_any() else EMPTY
        except StoreFault as fault:
            return str(fault)

    def partial_absence(self) -> str:
        """Empty: a bucket is there or not as a whole."""
        return ""

    def is_available(self) -> bool:
        """Whether its files can be counted: it is there, though it may be empty."""
        return self.absence() in (None, EMPTY)

    def identity(self) -> BucketAddress:
        """What another bucket at the same address would change: nothing, names of buckets are unique."""
        return self.root

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts objects and remembers which there are; None if `should_stop` returned True. Raises LibraryOffline."""
        counted = array("q")
        ignored = 0
        for path, _ in self._listed(""):
            if self.candidates.is_candidate(path):
                counted.append(hash(path))
            else:
                ignored += 1
            if len(counted) % 1000 == 0 and should_stop():
                return None
        self._counted = array("q", sorted(counted))
        return Count(len(counted), ignored)

    def _listed(self, under: str) -> Iterator[tuple[str, FileVersion]]:
        try:
            for page in self._objects.pages(under):
                yield from page
        except StoreFault as fault:
            raise LibraryOffline(str(fault)) from None
