"""Reads files of a folder. Independent of the index; never follows a path out of the root."""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lookalike.library.errors import Changing, LibraryOffline, ReadFailed, Rejected
from lookalike.library.links import target_inside
from lookalike.library.paths import is_escaped_path, is_utf8, unescape_path, validate_path
from lookalike.library.version import NO_VERSION, FileVersion, version_of
from lookalike.library.witnesses import is_unlisted

# Errors of the disk, the network share or this machine, not of the file: they may pass.
TEMPORARY = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO, errno.EBUSY, errno.EAGAIN),
        *(errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.ECONNRESET),
        *(errno.ENOMEM, errno.EMFILE, errno.ENFILE),
    }
)


@dataclass(frozen=True)
class Content:
    """A file's bytes, their SHA-256 in hexadecimal, and the version they belong to."""

    version: FileVersion
    sha256: str
    blob: bytes


class LibraryReader:
    """Reads files below `root` by their relative POSIX paths."""

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._root = Path(os.path.realpath(root))
        self._max_bytes = max_bytes
        # Device and inode of the root when it last held something.
        self._last_filled: tuple[int, int] | None = None

    def version(self, path: str) -> FileVersion | None:
        """The file's version, NO_VERSION if its status cannot be read, None if it is missing. Raises LibraryOffline."""
        root, found = self._root_now(), self._find(path)
        if found is None:
            self.require_online()
            return None
        try:
            status = found.stat()
        except (FileNotFoundError, NotADirectoryError):
            self.require_online()
            return None
        except OSError as error:
            _raise_if_temporary(error, path)
            return NO_VERSION
        self._last_filled = root
        return version_of(status) if stat.S_ISREG(status.st_mode) else None

    def versions(self, paths: Sequence[str]) -> dict[str, FileVersion]:
        """The same of many files, without those that are missing. Raises LibraryOffline."""
        return {path: version for path in paths if (version := self.version(path)) is not None}

    def expect(self, versions: Mapping[str, FileVersion]) -> None:
        """These are read next. Nothing is read ahead: the kernel does it."""

    def open(self, path: str) -> tuple[BinaryIO, FileVersion] | None:
        """The open file and its version, None if it is gone. Raises Rejected, ReadFailed, LibraryOffline."""
        root, found = self._root_now(), self._find(path)
        if found is None:
            self.require_online()
            return None
        if not is_utf8(str(found.relative_to(self._root))):
            raise Rejected("its name is not valid UTF-8; rename it")
        try:
            # Does not follow a link that replaced the file since it was resolved, nor wait for a pipe.
            descriptor = os.open(found, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            self.require_online()
            return None
        except OSError as error:
            raise _error_of(error, path) from error
        self._last_filled = root
        try:
            version = _version_of(descriptor)
        except (OSError, Rejected) as error:
            os.close(descriptor)
            raise (_error_of(error, path) if isinstance(error, OSError) else error) from error
        return os.fdopen(descriptor, "rb"), version

    def read(self, path: str) -> Content | None:
        """The file's content, None if it is gone. Raises Rejected, Changing, ReadFailed, LibraryOffline."""
        opened = self.open(path)
        if opened is None:
            return None
        file, before = opened
        with file:
            try:
                if before.size_bytes > self._max_bytes:
                    raise Rejected(too_large(before.size_bytes, self._max_bytes))
                # One byte more than expected shows a file that is being appended to.
                blob = file.read(before.size_bytes + 1)
                after = _version_of(file.fileno())
            except OSError as error:
                raise _error_of(error, path) from error
        if before != after or len(blob) != before.size_bytes:
            raise Changing(path)
        return Content(before, hashlib.sha256(blob).hexdigest(), blob)

    def is_gone(self, path: str) -> bool:
        """Whether there is certainly no such file: the second witness of a deletion (witnesses.py).

        Also if what has its name is no file of this library: a folder, a link that leaves it. Raises LibraryOffline
        unless the root is present and not empty.
        """
        self.require_online()
        unlisted = is_unlisted(self._root, validate_path(path), _raise_if_temporary)
        return self.version(path) is None if unlisted is None else unlisted

    def present(self, paths: Sequence[str]) -> list[str]:
        """All of them: a library of one folder is there or not as a whole."""
        return [*paths]

    def require_online(self) -> None:
        """Raises LibraryOffline unless the root is present and not unexpectedly empty."""
        try:
            status = self._root.stat()
            with os.scandir(self._root) as entries:
                filled = next(entries, None) is not None
        except OSError as error:
            raise LibraryOffline(f"the library {self._root} cannot be read ({error.strerror})") from error
        identity = (status.st_dev, status.st_ino)
        if filled:
            self._last_filled = identity
        elif self._last_filled != identity:
            # An unmounted disk leaves the empty folder it was mounted on, which is another inode; the
            # same folder, now empty, was really emptied.
            raise LibraryOffline(f"the library {self._root} is empty; is its disk mounted?")

    def _root_now(self) -> tuple[int, int] | None:
        """Device and inode of the root, read before a file is: a file that is found shows that this root is filled.

        So the root is listed only for a missing file, which takes 0.1 ms in a large one.
        """
        try:
            status = self._root.stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _find(self, path: str) -> Path | None:
        if not is_escaped_path(validate_path(path)):
            return None
        return target_inside(self._root, self._root / unescape_path(path))


def _version_of(descriptor: int) -> FileVersion:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Rejected("it is not a regular file")
    return version_of(status)


def too_large(size_bytes: int, max_bytes: int) -> str:
    """Why a file of that size is rejected."""
    return f"it has {size_bytes / 2**20:.0f} MiB, the limit is {max_bytes / 2**20:.0f} (LOOKALIKE_MAX_IMAGE_BYTES)"


def _raise_if_temporary(error: OSError, path: str) -> None:
    if error.errno in TEMPORARY:
        raise LibraryOffline(f"{path} cannot be looked at now ({error.strerror})") from error


def _error_of(error: OSError, path: str) -> Exception:
    if error.errno in TEMPORARY:
        return ReadFailed({path: f"the disk cannot read it ({error.strerror})"})
    if error.errno in (errno.EACCES, errno.EPERM):
        return Rejected("there is no permission to read it", may_pass=True)
    return Rejected(f"it cannot be read ({error.strerror})", may_pass=True)
