"""Reads objects of a bucket. Independent of the index. As reader.py is for a folder."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from lookalike.library.address import BucketAddress
from lookalike.library.buckets.bucket import ONLINE_FOR_S
from lookalike.library.buckets.bucket_faults import BucketFault
from lookalike.library.buckets.objects import Objects
from lookalike.library.buckets.read_ahead import MOST_BYTES, ReadAhead
from lookalike.library.errors import Changing, LibraryOffline, ReadFailed, Rejected
from lookalike.library.paths import is_escaped_path, unescape_path, validate_path
from lookalike.library.reader import Content, too_large
from lookalike.library.version import NO_VERSION, FileVersion


class ObjectFile:
    """An object that is being read, in the way of a file. Raises OSError if the server stops to answer."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._rest:
            try:
                self._rest = next(self._pieces, b"")
            except BucketFault as fault:
                raise OSError(str(fault)) from None
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        """Drops the rest."""
        self._pieces, self._rest = iter(()), b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BucketReader:
    """Reads objects below an address by their relative POSIX paths."""

    def __init__(
        self,
        root: BucketAddress,
        objects: Objects,
        *,
        max_bytes: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._objects = objects
        self._max_bytes = max_bytes
        self._now_s = now_s
        self._online_until_s = float("-inf")
        self._ahead, self._looks = ReadAhead(self._read), ReadAhead(self.version)

    def version(self, path: str) -> FileVersion | None:
        """The object's version, NO_VERSION if it alone cannot be looked at, None if missing. Raises LibraryOffline."""
        key = _key_of(path)
        if key is None:
            return None
        try:
            found = self._objects.head(key)
        except BucketFault:
            self._require_online(fresh=True)
            return NO_VERSION
        if found is None:
            self._require_online()
        return found

    def present(self, paths: Sequence[str]) -> list[str]:
        """All of them: a bucket is there or not as a whole."""
        return [*paths]

    def versions(self, paths: Sequence[str]) -> dict[str, FileVersion]:
        """The same of many objects, several at once, without those that are missing. Raises LibraryOffline."""
        found = zip(paths, self._looks.all(paths), strict=True)
        return {path: version for path, version in found if version is not None}

    def expect(self, versions: Mapping[str, FileVersion]) -> None:
        """These are read next, in this order: small ones ahead, so that few bytes are held."""
        self._ahead.expect(path for path, version in versions.items() if version.size_bytes <= MOST_BYTES)

    def open(self, path: str) -> tuple[ObjectFile, FileVersion] | None:
        """The open object and its version, None if it is gone. Raises Rejected, ReadFailed, LibraryOffline."""
        key = _key_of(path)
        if key is None:
            return None
        try:
            found = self._objects.download(key)
        except BucketFault as fault:
            self._require_online(fresh=True)
            if fault.is_denied:
                raise Rejected("there is no permission to read it", may_pass=True) from None
            raise ReadFailed({path: f"the library {fault}"}) from None
        if found is None:
            self._require_online()
            return None
        return ObjectFile(found.pieces), found.version

    def read(self, path: str) -> Content | None:
        """The object's content, None if it is gone. Raises Rejected, Changing, ReadFailed, LibraryOffline.

        Bytes and version are of one answer, so an object that is replaced meanwhile is one or the other.
        """
        return self._ahead.take(path)

    def _read(self, path: str) -> Content | None:
        opened = self.open(path)
        if opened is None:
            return None
        file, version = opened
        with file:
            if version.size_bytes > self._max_bytes:
                raise Rejected(too_large(version.size_bytes, self._max_bytes))
            digest, blob = hashlib.sha256(), bytearray()
            try:
                while piece := file.read(version.size_bytes + 1):
                    digest.update(piece)
                    blob += piece
            except OSError as error:
                raise ReadFailed({path: f"the library {error}"}) from None
        if len(blob) != version.size_bytes:
            raise Changing(path)
        return Content(version, digest.hexdigest(), bytes(blob))

    def is_gone(self, path: str) -> bool:
        """Whether there is certainly no such object: the second witness of a deletion (witnesses.py).

        Raises LibraryOffline unless a listing of the library shows something.
        """
        self._require_online()
        key = _key_of(path)
        if key is None:
            return True
        try:
            return self._objects.is_missing(key)
        except BucketFault:
            self._require_online(fresh=True)
            return False

    def _require_online(self, *, fresh: bool = False) -> None:
        """Raises LibraryOffline unless a listing shows something; `fresh` does not count one of a moment ago.

        It tells whether one object fails, or all of them.
        """
        if not fresh and self._now_s() < self._online_until_s:
            return
        try:
            has_any = self._objects.has_any()
        except BucketFault as fault:
            raise LibraryOffline(f"the library {self._root} {fault}") from None
        if not has_any:
            raise LibraryOffline(f"the library {self._root} is empty; is its prefix right?")
        self._online_until_s = self._now_s() + ONLINE_FOR_S


def _key_of(path: str) -> str | None:
    return unescape_path(path) if is_escaped_path(validate_path(path)) else None
