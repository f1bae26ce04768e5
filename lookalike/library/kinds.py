"""What every kind of library can do.

A folder (folder.py, reader.py), several (joined/), a bucket (buckets/).
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from lookalike.library.address import BucketAddress
from lookalike.library.folder import Count, FileEntry
from lookalike.library.links import Links
from lookalike.library.reader import Content
from lookalike.library.rules import Candidates
from lookalike.library.version import FileVersion


class Library(Protocol):
    """Which files are candidates, their versions, which are gone. For the producer and `verify`."""

    candidates: Candidates
    links: Links
    # Paths of files with rules.
    ignore_files: frozenset[str]

    @property
    def root(self) -> Path | BucketAddress:
        """Where it is."""

    def includes_folder(self, folder: str) -> bool:
        """Whether the folder is part of the library by the rules as they are now."""

    def stat(self, path: str) -> FileVersion | None:
        """The file as it is now; None if there is none that counts, or none can be seen."""

    def is_gone(self, path: str) -> bool:
        """Whether no file has this name: the first witness of a deletion (witnesses.py)."""

    def is_missing(self, path: str) -> bool:
        """The same, asked of every file of the index, after `count` or `remember_listing`. Raises LibraryOffline."""

    def remember_listing(self) -> None:
        """Prepares `is_missing`. Raises LibraryOffline."""

    def unescape(self, path: str) -> str:
        """The path in the library of a path in a message."""

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """A file's bytes; None if it is gone, has more, or cannot be read now."""

    def files(self, under: str = "") -> Iterator[FileEntry]:
        """Every candidate in this folder and below. Raises LibraryOffline if not all can be listed."""

    def ignored(self) -> Iterator[tuple[str, str]]:
        """What is left out, and the rule that does it."""

    def absence(self) -> str | None:
        """Why the library is unavailable ("is missing", ...); None if it is available."""

    def partial_absence(self) -> str:
        """What of it is missing while the rest is there, in a sentence; empty if nothing is."""

    def is_available(self) -> bool:
        """Whether its files can be counted: it is there, though it may be empty."""

    def identity(self) -> Hashable | None:
        """Differs for another library at the same address; None if there is none."""

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts files without opening them; None if `should_stop` returned True. Raises LibraryOffline."""


class OpenFile(Protocol):
    """A file of a library that is being read."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end. Raises OSError."""

    def close(self) -> None:
        """Ends reading."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Reader(Protocol):
    """Reads files by the paths of messages. For workers and the gallery."""

    def version(self, path: str) -> FileVersion | None:
        """The file's version, NO_VERSION if it alone cannot be looked at, None if missing. Raises LibraryOffline."""

    def versions(self, paths: Sequence[str]) -> dict[str, FileVersion]:
        """The same of many files, without those that are missing. Raises LibraryOffline."""

    def expect(self, versions: Mapping[str, FileVersion]) -> None:
        """These are read next, in this order: a distant library reads some of them ahead."""

    def open(self, path: str) -> tuple[OpenFile, FileVersion] | None:
        """The open file and its version, None if it is gone. Raises Rejected, ReadFailed, LibraryOffline."""

    def read(self, path: str) -> Content | None:
        """The file's content, None if it is gone. Raises Rejected, Changing, ReadFailed, LibraryOffline."""

    def is_gone(self, path: str) -> bool:
        """Whether there is certainly no such file: the second witness of a deletion. Raises LibraryOffline."""

    def present(self, paths: Sequence[str]) -> list[str]:
        """The paths that can be looked at now: all but those of a folder that is missing while others are there."""
