"""Flower's page of tasks in three states: all is well, the store is away, a file kills the process that opens it.

Each is brought about in the running system: the store is killed and not started again meanwhile; the processes of
ingest are killed while they open one large picture, as the kernel does where memory is short. What `up` asks by itself
is left out, as a person would.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from page import SHOWN_WITHIN_MS, open_page, save
from PIL import Image
from playwright.sync_api import Browser
from redis import Redis

from lookalike import Client
from lookalike.broker.app import redis_of

WIDTH_PX, HEIGHT_PX = 1640, 640
# Some seconds of decoding, below the limit of an image.
LARGE_PX = 11_000
WITHIN_S = 90.0
# A small picture takes milliseconds.
LONG_S = 0.5
ASKED = " OR ".join(f"name:lookalike.{task}" for task in ("sync", "search", "duplicates"))


def draw_flower(browser: Browser, address: str, photos: Path, client: Client, up_pid: int) -> None:
    """Draws flower.png, flower-store.png and flower-file.png, and leaves the system as it was but for some files."""
    client.duplicates().result(timeout_s=WITHIN_S)
    shot(browser, address, "lookalike.duplicates", "flower.png")
    with _store_away(up_pid):
        _copy(photos, "suns/suns-1.jpg", "suns/new.jpg")
        client.search("suns/suns-2.jpg", 5)
        shot(browser, address, "WAITING", "flower-store.png", times=2)
    _until(lambda: client.status().is_done)
    large = photos / "large.png"
    Image.new("RGB", (LARGE_PX, LARGE_PX), "orange").save(large.with_suffix(".part"), "png", compress_level=1)
    for name in ("new-1.jpg", "new-2.jpg"):
        _copy(photos, "suns/suns-2.jpg", name)
    large.with_suffix(".part").rename(large)
    with redis_of(client.settings) as redis:
        _kill_until(lambda: any(file.path == large.name for file in client.rejected()), redis)
    shot(browser, address, "1 rejected", "flower-file.png")
    for name in ("large.png", "new-1.jpg", "new-2.jpg", "suns/new.jpg"):
        (photos / name).unlink()
    _until(lambda: client.status().is_done)


def shot(browser: Browser, address: str, words: str, name: str, times: int = 1) -> None:
    """The page of tasks, once these words are on it."""
    page = open_page(browser, f"{address}/tasks", WIDTH_PX, HEIGHT_PX)
    page.get_by_role("searchbox").fill(ASKED)
    page.get_by_text(words).nth(times - 1).wait_for(timeout=SHOWN_WITHIN_MS)
    save(page, name)
    page.close()


@contextmanager
def _store_away(up_pid: int) -> Iterator[None]:
    """Its supervisor sleeps meanwhile, which would start it again."""
    (supervisor,) = _below(up_pid, "supervisor.supervisord")
    (store,) = _below(up_pid, "edge")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(store, signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


def _kill_until(is_done: Callable[[], bool], redis: Redis) -> None:
    """Kills each process that has opened pictures for a while, as it has told the broker, again and again."""
    until_s = time.monotonic() + WITHIN_S
    while not is_done():
        if time.monotonic() > until_s:
            raise TimeoutError
        for key in redis.scan_iter("lookalike:danger:*"):
            for process, since_unix_s in redis.hgetall(key).items():
                _host, pid, _start = process.decode().rsplit(":", 2)
                if time.time() - float(since_unix_s) > LONG_S:
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)


def _below(up_pid: int, word: str) -> list[int]:
    """The processes of the system with this word on their command line."""
    found = []
    for process in psutil.Process(up_pid).children(recursive=True):
        with suppress(psutil.Error):
            if word in process.cmdline():
                found.append(process.pid)
    return found


def _copy(photos: Path, source: str, name: str) -> None:
    with Image.open(photos / source) as image:
        image.resize((image.width - 3, image.height - 3)).save(photos / name, quality=70)


def _until(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not is_so():
        if time.monotonic() > until_s:
            raise TimeoutError
        time.sleep(0.2)
