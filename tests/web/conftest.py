"""A gallery in front of a real system: broker, store, one worker for all queues, and `python -m web` as a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from lookalike import Client
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.pictures import encoded, picture
from tests.support.tiny_model import tiny_model
from tests.support.valkey import free_port, valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 40.0
QUEUES = "lookalike:ingest,lookalike:rescan,lookalike:search,lookalike:thumbnails,lookalike:duplicates"
# What the OpenAPI has as its example, one in another folder, one to be turned, one that cannot be read.
FIRST, SECOND, TURNED, BROKEN = "houses/houses-3.jpg", "suns/suns 1.png", "turned.jpg", "broken.jpg"
ORIENTATION = 0x0112


@dataclass
class Gallery:
    """A running gallery; `http` asks it."""

    url: str
    library: Path
    data: Path
    environment: dict[str, str]
    worker: WorkerProcess
    client: Client
    http: httpx.Client

    def names(self) -> set[str]:
        """All files of the library, those of an upload that is not done included."""
        return {path.relative_to(self.library).as_posix() for path in self.library.rglob("*") if path.is_file()}

    @contextmanager
    def worker_stopped(self) -> Iterator[None]:
        """The worker takes nothing while the block runs."""
        os.kill(self.worker.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.worker.process.pid, signal.SIGCONT)


@contextmanager
def web_process(environment: dict[str, str], log: Path, *arguments: str, within: Sequence[str] = ()) -> Iterator[str]:
    """`python -m web` on a free port; its address. `within` is a command that gives it surroundings of its own."""
    port = free_port()
    command = [*within, sys.executable, "-m", "web", f"--port={port}", *arguments]
    with log.open("ab") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=sink)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(url) or process.poll() is not None, STARTS_WITHIN_S)
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def fill(library: Path) -> None:
    for seed, name in enumerate((FIRST, SECOND)):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_bytes(encoded(picture(seed, (640, 480)), "JPEG" if name.endswith("jpg") else "PNG"))
    exif = picture(7).getexif()
    exif[ORIENTATION] = 6
    (library / TURNED).write_bytes(encoded(picture(7, (640, 480)), "JPEG", exif=exif))
    (library / BROKEN).write_bytes(encoded(picture(8), "JPEG")[:300])


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with running_gallery(tmp_path_factory.mktemp("gallery")) as gallery:
        yield gallery


@contextmanager
def running_gallery(folder: Path) -> Iterator[Gallery]:
    """One on a system of its own, with all that it needs in this folder."""
    library = folder / "library"
    fill(library)
    model = tiny_model(folder / "tiny.onnx", copies=True)
    with valkey_process(folder) as redis_url, edge_process(folder / "store") as edge:
        environment = worker_environment(
            REDIS_URL=redis_url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=library,
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_DATA=folder / "data",
            LOOKALIKE_MAX_QUERY_BYTES="1000000",
            LOOKALIKE_MAX_UPLOAD_FILES="4",
            LOOKALIKE_MAX_IMAGE_PIXELS="4000000",
            # Its one worker has jobs for duplicates, too, before which a search waits.
            LOOKALIKE_SEARCH_TIMEOUT_S="20",
        )
        with worker_process(folder / "worker.log", environment, queues=QUEUES, name="search") as worker:
            settings = read_settings(redis_url=redis_url, library=library, model=str(model), data=folder / "data")
            with (
                web_process(environment, folder / "web.log") as url,
                Client(settings) as client,
                httpx.Client(base_url=url, trust_env=False, timeout=40) as http,
            ):
                wait_until(lambda: http.get("/readyz").is_success, STARTS_WITHIN_S)
                client.sync([FIRST, SECOND, TURNED, BROKEN]).result(30)
                yield Gallery(url, library, folder / "data", environment, worker, client, http)
