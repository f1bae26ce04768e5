"""Thumbnails on disk, within a bound: the ones that were looked at least recently go first."""

import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

# A picture that is looked at often is marked as such once in this time.
TOUCH_AFTER_S = 3600.0
# What is left after the oldest were removed, so that this is not done for each new one.
KEPT_SHARE = 0.9


class ThumbnailCache:
    """A folder of files that are named by the hash of their key. May be used by many threads.

    The sizes are counted once, when the first is added. A file that cannot be written is not kept.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None

    def get(self, key: str) -> bytes | None:
        """The picture with this key, if it is kept."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                blob = file.read()
                if time.time() - os.fstat(file.fileno()).st_mtime > TOUCH_AFTER_S:
                    os.utime(path)
        except OSError:
            return None
        return blob

    def put(self, key: str, blob: bytes) -> None:
        """Keeps a picture, and removes what is too much."""
        path = self._path(key)
        fresh = path.with_name(f".{path.name}.{threading.get_ident()}")
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(blob)
            fresh.replace(path)
        with self._lock:
            self._bytes = sum(size for _, size, _ in self._kept()) if self._bytes is None else self._bytes + len(blob)
            if self._bytes > self._max_bytes:
                self._bytes = self._remove_oldest()

    def _remove_oldest(self) -> int:
        """Removes the least recently used; returns the bytes that are left."""
        kept = sorted(self._kept())
        left = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if left <= self._max_bytes * KEPT_SHARE:
                break
            with suppress(OSError):
                path.unlink()
                left -= size
        return left

    def _kept(self) -> list[tuple[float, int, Path]]:
        """Time of the last use, bytes and path of each."""
        found = []
        for path in self._folder.glob("??/*"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.jpg"
