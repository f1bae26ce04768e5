"""File operations on the data folder apart from the engine's: lock, atomic replace, sparse copy, fsync."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge.errors import CannotStart

LOCK_NAME = "lock"
# After a server was killed, the kernel takes a moment to end its children, which hold the lock as well.
LOCK_WAIT_S = 2.0
LOCK_RETRY_S = 0.02
CHUNK_BYTES = 1 << 20
# stat(2): st_blocks counts these, whatever the file system's blocks are.
BLOCK_BYTES = 512


class FolderLock:
    """An exclusive lock on the data folder until this process and its children end, also by kill -9."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / LOCK_NAME).open("a")
        except OSError as error:
            raise CannotStart(
                f"cannot write to the data folder {folder}: {error.strerror}. Make it writable, or give another --data."
            ) from error
        deadline_s = time.monotonic() + LOCK_WAIT_S
        while not self._try_lock():
            if time.monotonic() > deadline_s:
                self._file.close()
                raise CannotStart(
                    f"the data folder {folder} is open in another edge process. Stop that one, or give another --data."
                )
            time.sleep(LOCK_RETRY_S)

    def fileno(self) -> int:
        """The descriptor: a child process that keeps it open keeps the lock."""
        return self._file.fileno()

    def release(self) -> None:
        """Releases the lock."""
        self._file.close()

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def replace_file(path: Path, content: bytes) -> None:
    """Replaces the file's content atomically; on return the new content is durable."""
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a rename alone is not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_file(source: str, target: str) -> None:
    """Copies a file and keeps its holes: most of a shard's files is preallocated and empty."""
    with Path(source).open("rb") as file, Path(target).open("xb") as copy:
        size_bytes = os.fstat(file.fileno()).st_size
        copy.truncate(size_bytes)
        for begin, end in _data_ranges(file.fileno(), size_bytes):
            file.seek(begin)
            copy.seek(begin)
            copy.writelines(
                file.read(min(CHUNK_BYTES, left_bytes)) for left_bytes in range(end - begin, 0, -CHUNK_BYTES)
            )


def sync_tree(folder: Path) -> None:
    """Makes everything below a folder durable."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with (Path(parent) / name).open("rb") as file:
                os.fsync(file)
        sync_folder(Path(parent))


def used_bytes(folder: Path) -> int:
    """Disk space of a folder; holes take none."""
    return sum(
        (Path(parent) / name).stat().st_blocks * BLOCK_BYTES for parent, _, names in os.walk(folder) for name in names
    )


def _data_ranges(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The ranges of a file that are not holes."""
    end = 0
    while end < size_bytes:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole follows
                return
            raise
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, end
