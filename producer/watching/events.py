"""Events in a library, and how watchdog's events become them. Paths are relative, POSIX, as on disk.

Bytes of a name that are not UTF-8 are surrogates here (PEP 383); only messages carry them escaped.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

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
    """A file appeared or changed; `closed` if its writer closed it or moved it in."""

    path: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A file was deleted or moved out of the library."""

    path: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A file was renamed."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class FolderAppeared:
    """A folder was created or moved in; there may be no events of the files in it."""

    path: str


@dataclass(frozen=True, slots=True)
class FolderGone:
    """A folder was deleted or moved out; there are no events of the files in it."""

    path: str


@dataclass(frozen=True, slots=True)
class FolderMoved:
    """A folder was renamed with everything in it."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Events were lost: only a scan can find what changed."""

    reason: str


Event = Touched | Gone | Moved | FolderAppeared | FolderGone | FolderMoved | Lost
FolderEvent = FolderAppeared | FolderGone | FolderMoved


# The kernel is asked for these only: each image that a worker reads would cause two more events.
# Attributes are among them because `cp -p` and `touch -d` set the time after the file was closed.
WATCHDOG_EVENTS: list[type[FileSystemEvent]] = [
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


def from_watchdog(event: FileSystemEvent, root: str, *, names_every_file: bool) -> Event | None:
    """The event for one of watchdog, or None if it does not concern us.

    Polling names every file of a folder that was created, deleted or moved (`names_every_file`). The other observers
    name the folder; watchdog's synthetic events of its files are dropped, because the folder is walked anyway.
    """
    if event.is_synthetic:
        return None
    old, new = _relative(event.src_path, root), _relative(event.dest_path, root)
    if isinstance(event, DirCreatedEvent | DirDeletedEvent | DirMovedEvent):
        if isinstance(event, DirDeletedEvent) and os.fsdecode(event.src_path) == root:
            return Lost("the folder of the library was deleted or moved")
        return None if names_every_file else _folder_event(event, old, new)
    return _file_event(event, old, new)


def changes_count(event: FileSystemEvent) -> bool:
    """Whether the number of files may have changed."""
    return event.event_type in {"created", "deleted", "moved"}


def is_outside(event: FileSystemEvent, root: str, includes_folder: Callable[[str], bool]) -> bool:
    """Whether it happened only in folders that are not part of the library, where programs may write all the time."""
    paths = filter(None, (_relative(event.src_path, root), _relative(event.dest_path, root)))
    folders = [path if event.is_directory else path.rpartition("/")[0] for path in paths]
    return bool(folders) and not any(not folder or includes_folder(folder) for folder in folders)


def within(event: Event, folder: str) -> Event:
    """The same event of a library to which this is one folder of several."""
    match event:
        case Lost():
            return event
        case Moved(old, new) | FolderMoved(old, new):
            return type(event)(f"{folder}/{old}", f"{folder}/{new}")
        case _:
            return replace(event, path=f"{folder}/{event.path}")


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
    """A move without source or destination crossed the border of the watched folder."""
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
