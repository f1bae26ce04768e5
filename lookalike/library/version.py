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


E_TAG = "etag:"

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


def object_version(e_tag: str | None, size_bytes: int, modified_s: int) -> FileVersion:
    """The version of an object in a bucket. `modified_s` is in whole seconds: listings have parts of them, HEAD none.

    A store without ETags tells versions apart by size and time alone.
    """
    tag = (e_tag or "").removeprefix("W/").strip('"')
    return FileVersion(f"{E_TAG}{tag or format(modified_s, 'x')}", size_bytes, modified_s * 1_000_000_000)


def move_key(version: FileVersion) -> Hashable:
    """What a file keeps when it is moved: in a folder size and mtime, also to another disk; in a bucket ETag and size.

    A copy of an object has the time of the copy. If it was uploaded in parts, or is encrypted with a key of its own,
    its ETag is another one too: then it is read again, and its bytes tell.
    """
    if version.token.startswith(E_TAG):
        return version.size_bytes, version.token
    return version.size_bytes, version.mtime_ns
