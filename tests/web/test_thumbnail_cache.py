"""Thumbnails on disk stay within their bound, and the least recently used go first."""

import os
import threading
from pathlib import Path

from web.thumbnail_cache import ThumbnailCache


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.jpg"))


def test_what_is_put_is_got_by_its_key(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path, 1000)
    cache.put("one", b"1")

    assert (cache.get("one"), cache.get("two"), cache.get("../one")) == (b"1", None, None)
    assert ThumbnailCache(tmp_path, 1000).get("one") == b"1"


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path, 1000)
    for at in range(9):
        cache.put(str(at), bytes(100))
        for path in tmp_path.rglob("*.jpg"):
            os.utime(path, (path.stat().st_atime - 7200, path.stat().st_mtime - 7200))
    # The oldest is looked at now.
    assert cache.get("0") is not None

    for at in range(9, 12):
        cache.put(str(at), bytes(100))

    assert bytes_in(tmp_path) <= 1000
    assert cache.get("0") is not None
    assert cache.get("1") is None
    assert cache.get("11") is not None


def test_the_bound_counts_what_was_there_before(tmp_path: Path) -> None:
    for at in range(5):
        ThumbnailCache(tmp_path, 10_000).put(str(at), bytes(100))

    ThumbnailCache(tmp_path, 300).put("new", bytes(100))

    assert bytes_in(tmp_path) <= 300


def test_many_threads_stay_within_the_bound(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path, 2000)

    def put(name: str) -> None:
        for at in range(20):
            cache.put(f"{name}{at}", bytes(100))
            cache.get(f"{name}{at - 1}")

    threads = [threading.Thread(target=put, args=[name]) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert bytes_in(tmp_path) <= 2000
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_a_folder_that_cannot_be_written_keeps_nothing_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = ThumbnailCache(tmp_path / "file", 1000)

    cache.put("one", b"1")

    assert cache.get("one") is None
