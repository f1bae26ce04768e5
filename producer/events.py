"""What can happen in a library, as the watcher tells it to the loop. Paths are relative, POSIX, as the disk has them.

Bytes of a name that are not UTF-8 are surrogates here (PEP 383); only messages carry them escaped.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Touched:
    """A file appeared or changed; `closed` if whoever wrote it seems to be done."""

    path: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A file left."""

    path: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A file has another name now."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class FolderAppeared:
    """A folder was made or moved in; what is in it may have come without a word."""

    path: str


@dataclass(frozen=True, slots=True)
class FolderGone:
    """A folder left, and nobody names the files that left with it."""

    path: str


@dataclass(frozen=True, slots=True)
class FolderMoved:
    """A folder has another name now, and so has everything in it."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Events were lost: only a scan can tell what happened."""

    reason: str


Event = Touched | Gone | Moved | FolderAppeared | FolderGone | FolderMoved | Lost
FolderEvent = FolderAppeared | FolderGone | FolderMoved
