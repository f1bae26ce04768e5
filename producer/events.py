"""What can happen in a library, as the watcher tells it to the loop. Paths are relative, POSIX, as the disk has them.

Bytes of a name that are not UTF-8 are surrogates here (PEP 383); only messages carry them escaped.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)


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


# The kernel is asked for these only: each image that a worker reads would be two events more.
# Attributes are among them because `cp -p` and `touch -d` set the time after the file was closed.
WANTED: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


def translated(event: FileSystemEvent, root: str, *, names_every_file: bool) -> Event | None:
    """One event of ours, or None if it says nothing to us.

    Polling names every file of a folder that came, left or moved (`names_every_file`). The others name
    the folder; what watchdog makes up about its files is left out, because the folder is walked anyway.
    """
    if event.is_synthetic:
        return None
    old, new = _relative(event.src_path, root), _relative(event.dest_path, root)
    if isinstance(event, DirCreatedEvent | DirDeletedEvent | DirMovedEvent):
        if isinstance(event, DirDeletedEvent) and os.fsdecode(event.src_path) == root:
            return Lost("the folder of the library left")
        return None if names_every_file else _folder_event(event, old, new)
    return _file_event(event, old, new)


def changes_count(event: FileSystemEvent) -> bool:
    """Whether there may be more or fewer files than before."""
    return event.event_type in {"created", "deleted", "moved"}


def is_outside(event: FileSystemEvent, root: str, is_entered: Callable[[str], bool]) -> bool:
    """Whether all of it happened in folders that nobody enters: others may write there without end (a data folder)."""
    paths = filter(None, (_relative(event.src_path, root), _relative(event.dest_path, root)))
    folders = [path if event.is_directory else path.rpartition("/")[0] for path in paths]
    return bool(folders) and not any(not folder or is_entered(folder) for folder in folders)


def _folder_event(event: FileSystemEvent, old: str, new: str) -> Event | None:
    if isinstance(event, DirCreatedEvent):
        return FolderAppeared(old) if old else None
    if isinstance(event, DirDeletedEvent):
        return FolderGone(old) if old else None
    return _moved(old, new, FolderAppeared, FolderGone, FolderMoved)


def _file_event(event: FileSystemEvent, old: str, new: str) -> Event | None:
    if isinstance(event, FileMovedEvent):
        return _moved(old, new, lambda path: Touched(path, closed=True), Gone, Moved)
    if not old:
        return None
    if isinstance(event, FileDeletedEvent):
        return Gone(old)
    return Touched(old, closed=isinstance(event, FileClosedEvent))


def _moved(
    old: str,
    new: str,
    came: Callable[[str], Event],
    left: Callable[[str], Event],
    moved: Callable[[str, str], Event],
) -> Event | None:
    """A move from or to nowhere crossed the border of what is watched."""
    if old and new:
        return moved(old, new)
    if new:
        return came(new)
    return left(old) if old else None


def _relative(path: bytes | str, root: str) -> str:
    """The path inside the root; "" for the root itself, for nothing, and for what is outside."""
    inside = root.rstrip(os.sep) + os.sep
    full = os.fsdecode(path)
    return full[len(inside) :] if full.startswith(inside) else ""
