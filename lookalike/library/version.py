"""Which version of a file this is. What a version is made of is the library's affair; all others compare tokens."""

import os
from collections.abc import Hashable
from typing import NamedTuple


class FileVersion(NamedTuple):
    """A version of a file, identified without reading it, and facts about it for filters.

    `token` is opaque: equal tokens of one path mean the same bytes, and nothing else may be read from it. The times are
    in nanoseconds since 1970, the size is in bytes.
    """

    token: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0


# Of a file that exists and whose status cannot be read, and of one that is to be retried though it does not change: no
# file has it.
NO_VERSION = FileVersion("", 0, -1)


def folder_version(size_bytes: int, mtime_ns: int, ctime_ns: int = 0) -> FileVersion:
    """The version of a file in a folder.

    The inode's change time reveals what `cp -p`, `touch -r` and renames over a file hide: the mtime can be set, the
    ctime cannot. It also changes with permissions and the number of names, which costs one extra look.
    """
    return FileVersion(f"{size_bytes:x}-{mtime_ns:x}-{ctime_ns:x}", size_bytes, mtime_ns, ctime_ns)


def version_of(found: os.stat_result) -> FileVersion:
    """The version of the file in a folder with this status."""
    return folder_version(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def move_key(version: FileVersion) -> Hashable:
    """What a file in a folder keeps when it is moved, to another disk as well: size and mtime."""
    return version.size_bytes, version.mtime_ns
