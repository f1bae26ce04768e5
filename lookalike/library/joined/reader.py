"""Reads files of a library of several folders, each by a reader of its own that never leaves its folder."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from lookalike.library.errors import LibraryOffline
from lookalike.library.joined.folders import Joined, split_name
from lookalike.library.paths import unescape_path, validate_path
from lookalike.library.reader import Content, LibraryReader
from lookalike.library.version import FileVersion


class JoinedReader:
    """Reads files by paths that begin with the name of a folder."""

    def __init__(self, joined: Joined, *, max_bytes: int) -> None:
        self._parts = {name: LibraryReader(folder, max_bytes=max_bytes) for name, folder in joined.folders.items()}

    def version(self, path: str) -> FileVersion | None:
        """As of one folder; None also for a path of no folder here. Raises LibraryOffline for one that is missing."""
        part, rest = self._part(path)
        return None if part is None else part.version(rest)

    def versions(self, paths: Sequence[str]) -> dict[str, FileVersion]:
        """The same of many files, without those that are missing. Raises LibraryOffline."""
        return {path: version for path in paths if (version := self.version(path)) is not None}

    def expect(self, versions: Mapping[str, FileVersion]) -> None:
        """These are read next. Nothing is read ahead."""

    def open(self, path: str) -> tuple[BinaryIO, FileVersion] | None:
        """As of one folder. Raises Rejected, ReadFailed, LibraryOffline."""
        part, rest = self._part(path)
        return None if part is None else part.open(rest)

    def read(self, path: str) -> Content | None:
        """As of one folder. Raises Rejected, Changing, ReadFailed, LibraryOffline."""
        part, rest = self._part(path)
        return None if part is None else part.read(rest)

    def is_gone(self, path: str) -> bool:
        """Whether there is certainly no such file. Raises LibraryOffline if its folder is missing.

        A path of no folder here is from before the folders were joined: then all of them must be there.
        """
        part, rest = self._part(path)
        if part is not None:
            return part.is_gone(rest)
        for each in self._parts.values():
            each.require_online()
        return True

    def present(self, paths: Sequence[str]) -> list[str]:
        """The paths whose folder is there. Those of another one wait for its return, which begins with a scan."""
        missing = {
            name for name in {self._name(path) for path in paths} if name in self._parts and self._is_missing(name)
        }
        return [path for path in paths if self._name(path) not in missing]

    def _is_missing(self, name: str) -> bool:
        try:
            self._parts[name].require_online()
        except LibraryOffline:
            return True
        return False

    @staticmethod
    def _name(path: str) -> str:
        return unescape_path(split_name(path)[0])

    def _part(self, path: str) -> tuple[LibraryReader | None, str]:
        """The reader and the path in its folder. Raises Refused for what is no path."""
        name, rest = self._name(validate_path(path)), split_name(path)[1]
        return (self._parts.get(name) if rest else None), rest
