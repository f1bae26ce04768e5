"""The objects of a library on object storage: which are candidates, their versions, which are gone.

As folder.py is for a folder. A listing alone removes nothing: what it does not show is asked for by its key, and the
worker asks once more (witnesses.py).
"""

import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress

from lookalike.library.address import BucketAddress
from lookalike.library.buckets.bucket_faults import BucketFault
from lookalike.library.buckets.objects import Objects
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import EMPTY, Count, FileEntry
from lookalike.library.links import Links
from lookalike.library.paths import unescape_path
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.library.version import FileVersion

# A listing that showed something is good for so long: else each object that is gone would cost one of its own.
ONLINE_FOR_S = 5.0
# So many files of the index that are there and were not listed may have come meanwhile. More are a listing that was
# cut, and to ask for each of them would take hours.
MOST_UNLISTED = 1000


class BucketLibrary:
    """The objects below an address. One whose key ends with a slash stands for a folder and is no image."""

    def __init__(
        self,
        root: BucketAddress,
        objects: Objects,
        candidates: Candidates,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        # Replaced as a whole when the ignore file changes.
        self.candidates = candidates
        # There are none.
        self.links = Links(max_links=0)
        self.ignore_files = frozenset({IGNORE_FILE})
        self.objects = objects
        # Hashes of the paths that the last count listed, in order: 8 bytes each, so 8 MB for a million.
        self._counted = array("q")
        # Files of the index that are there though that count did not list them.
        self._unlisted = 0
        self._now_s = now_s
        self._seen_until_s = float("-inf")

    def includes_folder(self, folder: str) -> bool:
        """Whether the folder is part of the library by the rules as they are now."""
        return self.candidates.includes_folder(folder)

    def stat(self, path: str) -> FileVersion | None:
        """The object as it is now; None if there is none, or the server does not tell."""
        with suppress(BucketFault):
            return self.objects.head(path)
        return None

    def is_gone(self, path: str) -> bool:
        """Whether the server says that it has no such key: the first witness of a deletion (witnesses.py)."""
        with suppress(BucketFault):
            return self.objects.is_missing(path)
        return False

    def is_missing(self, path: str) -> bool:
        """The same in a scan, for every file of the index: only what the last count did not list is asked for.

        Raises LibraryOffline if the server does not answer, or has very many that it did not list.
        """
        mark = hash(path)
        at = bisect_left(self._counted, mark)
        if at < len(self._counted) and self._counted[at] == mark:
            return False
        try:
            is_missing = self.objects.is_missing(path)
        except BucketFault as fault:
            raise LibraryOffline(str(fault)) from None
        self._unlisted += not is_missing
        if self._unlisted > MOST_UNLISTED:
            raise LibraryOffline("was listed in part only")
        return is_missing

    def remember_listing(self) -> None:
        """Lists what there is, so that `is_missing` need not ask for each file. Raises LibraryOffline."""
        self.count(lambda: False)

    def unescape(self, path: str) -> str:
        """The key below the prefix of a path in a message."""
        return unescape_path(path)

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """An object's bytes; None if it is gone, has more, or cannot be read now."""
        try:
            found = self.objects.download(path)
            if found is None or found.version.size_bytes > most_bytes:
                return None
            return b"".join(found.pieces)
        except BucketFault:
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
        """Why the library is unavailable ("is missing", ...); None if it is, or was a moment ago, in a listing."""
        if self._now_s() < self._seen_until_s:
            return None
        try:
            return EMPTY if next(self._listed(""), None) is None else None
        except LibraryOffline as offline:
            return str(offline)

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
        self._counted, self._unlisted = array("q", sorted(counted)), 0
        return Count(len(counted), ignored)

    def _listed(self, under: str) -> Iterator[tuple[str, FileVersion]]:
        if not under:
            self._seen_until_s = float("-inf")
        try:
            for page in self.objects.pages(under):
                if page:
                    self._seen_until_s = self._now_s() + ONLINE_FOR_S
                yield from page
        except BucketFault as fault:
            raise LibraryOffline(str(fault)) from None
