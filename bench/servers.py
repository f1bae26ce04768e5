"""The store by itself, and the whole system, started as people start them and stopped again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil
from qdrant_client import QdrantClient

from lookalike import Client, LookalikeError
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.discovery import RunningSystem, running_on
from models.contract import read_card
from worker.connecting import qdrant_of
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec

STARTS_WITHIN_S = 240.0
STOPS_WITHIN_S = 30.0
SETTLES_S = 2.0
NEIGHBOURS = 10
LOOK_S, LONGEST_LOOK_S = 0.05, 1.0
READY = re.compile(r"ready url=(\S+)")
Found = TypeVar("Found")


class System:
    """A running `lookalike up` on a library of its own, empty at first."""

    def __init__(self, process: "subprocess.Popen[bytes]", running: RunningSystem) -> None:
        self.process = process
        self.library = Path(running.library)
        self.client = Client(data=running.data)
        self.store = qdrant_of(read_settings(qdrant_url=running.qdrant_url, qdrant_api_key=running.qdrant_api_key))
        self._name = running.name

    def search(self, blob: bytes) -> object:
        """The nearest images to this one, through the queue."""
        return self.client.search(blob, limit=NEIGHBOURS).result()

    def indexed(self) -> int:
        """Points in the index, asked of the store."""
        return self.store.count(self._name, exact=True).count

    def collection(self) -> str:
        """Name of the collection behind the alias."""
        return next(
            alias.collection_name for alias in self.store.get_aliases().aliases if alias.alias_name == self._name
        )

    def drop(self, folder: Path, within_s: float = 600.0) -> float:
        """Moves a folder of photos into the library; seconds until each of them can be found by a search.

        Counting points takes time from what is measured, so it is done seldom at first: after half of the time that
        the rest should take.
        """
        count, before = len(list(folder.iterdir())), self.indexed()
        begun = time.perf_counter()
        folder.rename(self.library / folder.name)
        while (done := self.indexed() - before) < count:
            took_s = time.perf_counter() - begun
            if took_s > within_s:
                raise TimeoutError(f"{done} of {count} photos within {within_s:g} s")
            time.sleep(min(LONGEST_LOOK_S, max(LOOK_S, took_s * (count - done) / max(done, 1) / 2)))
        return time.perf_counter() - begun

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped (SIGSTOP) inside the block, running and idle after it: idle it would take 1 % of two cores."""
        stopped = self.processes()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        self.wait_until_at_rest()

    def wait_until_at_rest(self) -> None:
        """Waits until nothing is queued or in work, by every part's report."""
        wait_for(lambda: _is_at_rest(self.client), STARTS_WITHIN_S)

    def processes(self) -> list[int]:
        """Ids of all its processes."""
        own = psutil.Process(self.process.pid)
        return [own.pid, *(child.pid for child in own.children(recursive=True))]


@contextmanager
def system(folder: Path, model: Path) -> Iterator[System]:
    """`lookalike up` with its defaults, everything it keeps in `folder`."""
    library, data = folder / "library", folder / "data"
    library.mkdir(parents=True)
    up = [sys.executable, "-c", "from lookalike.cli import main; main()", "up", str(library)]
    with _program([*up, "--data", str(data), "--model", str(model)], folder / "up.log") as process:
        running = wait_for(lambda: running_on(DataFolder(data)), STARTS_WITHIN_S)
        started = System(process, running)
        started.wait_until_at_rest()
        # Flower is the last to be ready, and what it takes for that is no part of anybody's work.
        time.sleep(SETTLES_S)
        yield started


@contextmanager
def store(folder: Path) -> Iterator[str]:
    """The embedded engine's server by itself; gives its URL."""
    folder.mkdir(parents=True)
    log = folder / "store.log"
    with _program([sys.executable, "-m", "edge", "--data", str(folder / "data"), "--port", "0"], log):
        yield wait_for(lambda: READY.search(log.read_text()), STARTS_WITHIN_S)[1]


def make_collection(url: str, model: Path) -> str:
    """Makes the collection that the workers would make for this model, payload indexes included; its name."""
    client = QdrantClient(url=url, check_compatibility=False)
    standing = ensure(client, CollectionSpec("bench", read_card(model), "cosine", library_id="bench"))
    client.close()
    return standing.name


def wait_for(ask: Callable[[], Found | None], within_s: float) -> Found:
    """The first answer that is not false. Raises TimeoutError."""
    until = time.monotonic() + within_s
    while not (found := ask()):
        if time.monotonic() > until:
            raise TimeoutError(f"not within {within_s:g} s")
        time.sleep(LOOK_S)
    return found


def _is_at_rest(client: Client) -> bool:
    with suppress(LookalikeError):
        return client.status().is_done
    return False


@contextmanager
def _program(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a program without settings of ours from outside; stops it as Ctrl-C does."""
    ours = ("LOOKALIKE_", "REDIS_URL", "QDRANT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with log.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
    try:
        yield process
    except Exception as error:
        error.add_note(f"{log}: {log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
