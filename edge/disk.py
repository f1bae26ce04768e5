"""What the server does to its folder: lock it, and write a file so that it is either the old or the new one."""

import fcntl
import os
from pathlib import Path

from edge.errors import CannotStart

LOCK_NAME = "lock"


class FolderLock:
    """The data folder is ours until the process ends: the kernel drops the lock even after kill -9."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / LOCK_NAME).open("a")
        except OSError as error:
            raise CannotStart(
                f"cannot write to the data folder {folder}: {error.strerror}. Make it writable, or give another --data."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise CannotStart(
                f"the data folder {folder} is open in another edge process. Stop that one, or give another --data."
            ) from error

    def release(self) -> None:
        """Lets another process have the folder."""
        self._file.close()


def replace_file(path: Path, content: bytes) -> None:
    """Puts the content in place of the file at once; when it returns, the new content outlives a power cut."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a rename alone is not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
