"""A running system without producer and supervisor, for all tests of the tasks."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from lookalike import Client, LookalikeError
from lookalike.redis_keys import Keys
from lookalike.settings import Settings, read_settings
from tests.support.edge import edge_process
from tests.support.pictures import encoded, picture
from tests.support.valkey import valkey_process
from tests.support.workers import WorkerProcess, worker_environment, worker_process

# Not the default: what a test finds comes from the setting. Little, so that other tests leave it time.
NICE = 1
# A decoder that kills its process and one that hangs, put in the way of pictures of these sizes: what real
# decoders did with files that are fixed by now.
DEADLY_PX, SLOW_PX, LATE_PX = 66, 67, 68
SITE = f"""
import os, signal, time
from PIL import ImageFile
load = ImageFile.ImageFile.load
def load_or_die(image):
    if image.width == {DEADLY_PX}:
        os.kill(os.getpid(), signal.SIGKILL)
    if image.width == {SLOW_PX}:
        time.sleep(60)
    if image.width == {LATE_PX}:
        time.sleep(0.2)  # Pillow calls this several times for one image
    return load(image)
ImageFile.ImageFile.load = load_or_die
"""


@dataclass
class System:
    """A running system without producer and supervisor."""

    root: Path
    client: Client
    settings: Settings
    environment: dict[str, str]
    worker: WorkerProcess
    log: Path
    redis: Redis

    def path(self, seed: int, name: str | None = None, width: int = 64) -> str:
        """Draws a picture into the library."""
        name = name or f"{seed}.png"
        (self.root / name).write_bytes(encoded(picture(seed, (width, 48))))
        return name


def known(system: System) -> dict[str, str]:
    """Paths and their status; empty while the only process is at work on something that takes longer than a read."""
    with suppress(LookalikeError):
        return {file.path: file.status for file in system.client.list()}
    return {}


@contextmanager
def stopped(system: System) -> Iterator[None]:
    """The worker takes no message while the block runs."""
    os.kill(system.worker.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(system.worker.process.pid, signal.SIGCONT)


def held_by_the_worker(redis: Redis, keys: Keys) -> str:
    """Key of the messages that the only worker holds."""
    holders: set[bytes] = redis.smembers(keys.holders)  # type: ignore[assignment]
    (holder,) = holders
    return keys.unacked(holder.decode())


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    (folder / "library").mkdir()
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    with valkey_process(folder) as redis_url, edge_process(folder / "store") as edge:
        environment = worker_environment(
            REDIS_URL=redis_url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=folder / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_DECODE_TIMEOUT_S="2",
            LOOKALIKE_INGEST_NICE=str(NICE),
            LOOKALIKE_ALIVE_FILE=folder / "alive",
            PYTHONPATH=folder / "site",
        )
        queues = "lookalike:ingest,lookalike:rescan,lookalike:search,lookalike:thumbnails"
        with worker_process(folder / "worker.log", environment, queues=queues) as worker:
            settings = read_settings(redis_url=redis_url, library=folder / "library", model=str(model))
            with Client(settings) as client, Redis.from_url(redis_url) as redis:
                yield System(
                    root=folder / "library",
                    client=client,
                    settings=settings,
                    environment=environment,
                    worker=worker,
                    log=folder / "worker.log",
                    redis=redis,
                )
