"""Workers that die, freeze or lose their broker with messages in hand, and the others that take them over."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from redis import Redis

from lookalike.broker.telemetry import Telemetry
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC, Keys
from lookalike.settings import Settings, read_settings
from tests.support.edge import client_of, edge_process
from tests.support.pictures import encoded, picture
from tests.support.sending import send
from tests.support.valkey import free_port, start_valkey, stop_valkey, valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process

LEASE_S = 2.0
# A picture of this width waits in its decoder until the file `go` is in the library.
SLOW_PX = 67
SITE = f"""
import os, time
from PIL import ImageFile
load = ImageFile.ImageFile.load
def load_later(image):
    while image.width == {SLOW_PX} and not os.path.exists(os.environ["GO"]):
        time.sleep(0.02)
    return load(image)
ImageFile.ImageFile.load = load_later
"""
NUMBERS = itertools.count()
UNSHARE = shutil.which("unshare")
# As in a container: its processes are nobody's elsewhere, and die with its first one.
CONTAINER = [str(UNSHARE), "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]


@dataclass
class Ground:
    """Broker, store and library of two workers."""

    root: Path
    settings: Settings
    environment: dict[str, str]
    redis: Redis
    store: QdrantClient
    go: Path

    @property
    def keys(self) -> Keys:
        return self.settings.keys

    @property
    def telemetry(self) -> Telemetry:
        return Telemetry(self.redis, self.keys)

    def send(self, *names: str) -> None:
        send(self.settings, SYNC, SyncMessage(paths=list(names)), queue=self.keys.ingest)

    def draw(self, seed: int, width: int = 64) -> str:
        (self.root / f"{seed}.png").write_bytes(encoded(picture(seed, (width, 48))))
        return f"{seed}.png"

    def indexed(self) -> set[str]:
        with contextlib.suppress(UnexpectedResponse):
            points, _ = self.store.scroll(self.keys.system, limit=100)
            payloads = [point.payload or {} for point in points]
            return {payload["path"] for payload in payloads if payload["status"] == "indexed"}
        return set()

    def in_decoder(self) -> bool:
        return any(True for _ in self.redis.scan_iter(f"{self.keys.system}:danger:*"))

    def holders(self) -> int:
        return int(self.redis.scard(self.keys.holders))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("takeover")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    with (
        valkey_process(folder) as url,
        edge_process(folder / "store") as edge,
        client_of(edge) as store,
        Redis.from_url(url) as redis,
    ):
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=model,
            LOOKALIKE_LEASE_S=str(LEASE_S),
            PYTHONPATH=folder / "site",
        )
        settings = read_settings(redis_url=url, model=str(model))
        yield Ground(folder, settings, environment, redis, store, folder / "go")


@pytest.fixture
def ground(servers: Ground, tmp_path: Path) -> Iterator[Ground]:
    """A system of its own for each test, and a worker that answers reads."""
    name, root = f"system-{next(NUMBERS)}", tmp_path / "library"
    root.mkdir()
    go = tmp_path / "go"
    environment = servers.environment | {"LOOKALIKE_NAME": name, "LOOKALIKE_LIBRARY": str(root), "GO": str(go)}
    settings = servers.settings.model_copy(update={"name": name, "library": root})
    yield replace(servers, root=root, settings=settings, environment=environment, go=go)
    go.touch()


@contextmanager
def worker_on(
    ground: Ground, log: Path, *, name: str = "ingest", within: list[str] | None = None
) -> Iterator[WorkerProcess]:
    keys = ground.keys
    queues = f"{keys.ingest},{keys.rescan}" if within is not None else f"{keys.ingest},{keys.rescan},{keys.search}"
    with worker_process(log, ground.environment, queues=queues, name=name, within=within or ()) as worker:
        yield worker


@pytest.fixture
def container() -> list[str]:
    if UNSHARE is None or subprocess.run([*CONTAINER, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces of processes here")
    return CONTAINER


def test_what_a_killed_container_held_is_taken_over_and_counted_in_photos_until_then(
    ground: Ground, tmp_path: Path, container: list[str]
) -> None:
    names = [ground.draw(0, SLOW_PX), *(ground.draw(seed) for seed in range(1, 12))]
    with worker_on(ground, tmp_path / "first.log", within=container) as first:
        ground.send(*names)
        wait_until(ground.in_decoder)
        first.kill()
    assert (ground.telemetry.waiting(), ground.telemetry.queued()) == (0, 12)

    ground.go.touch()
    with worker_on(ground, tmp_path / "second.log") as second:
        wait_until(lambda: ground.indexed() == set(names), 60)
        wait_until(lambda: ground.telemetry.queued() == 0)
        assert "took_over" in second.said()
        assert ground.holders() == 1


def test_a_living_worker_takes_over_from_a_killed_container_a_single_photo_too(
    ground: Ground, tmp_path: Path, container: list[str]
) -> None:
    """Nobody knows whether a process of another machine lives; what let its lease end does not."""
    name = ground.draw(0, SLOW_PX)
    with worker_on(ground, tmp_path / "first.log", within=container) as first:
        ground.send(name)
        wait_until(ground.in_decoder)
        with worker_on(ground, tmp_path / "second.log"):
            first.kill()
            ground.go.touch()

            wait_until(lambda: ground.indexed() == {name})
            wait_until(lambda: (ground.holders(), ground.telemetry.queued()) == (1, 0))


def test_a_frozen_worker_that_wakes_finds_its_photos_taken_over_and_leaves_them(
    ground: Ground, tmp_path: Path, container: list[str]
) -> None:
    names = [ground.draw(0, SLOW_PX), *(ground.draw(seed) for seed in range(1, 5))]
    with worker_on(ground, tmp_path / "first.log", within=container) as first:
        ground.send(*names)
        wait_until(ground.in_decoder)
        ground.send(ground.draw(9))
        with worker_on(ground, tmp_path / "second.log"):
            frozen = _processes(first.process.pid)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            ground.go.touch()

            wait_until(lambda: ground.indexed() == {*names, "9.png"}, 30)
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

            wait_until(lambda: "another worker took it over" in first.said())
            wait_until(lambda: (ground.holders(), ground.telemetry.queued()) == (2, 0))
            assert ground.telemetry.embedded_total() == 6
        # Awake again it works as any other.
        ground.send(ground.draw(10))
        wait_until(lambda: ground.telemetry.embedded_total() == 7)
        first.kill()


def test_a_broker_that_was_emptied_knows_its_workers_again_and_what_they_take_then(
    ground: Ground, tmp_path: Path, container: list[str]
) -> None:
    first_name, second_name = ground.draw(0, SLOW_PX), ground.draw(1, SLOW_PX)
    with worker_on(ground, tmp_path / "first.log", within=container) as first:
        ground.send(first_name)
        wait_until(ground.in_decoder)

        ground.redis.flushall()
        ground.go.touch()
        wait_until(
            lambda: "embedded': 1" in first.said() or "embedded=1" in first.said() or "succeeded" in first.said()
        )
        wait_until(lambda: ground.holders() == 1)
        ground.go.unlink()
        ground.send(second_name)
        wait_until(ground.in_decoder)
        first.kill()
    ground.go.touch()
    with worker_on(ground, tmp_path / "second.log"):
        wait_until(lambda: ground.indexed() == {first_name, second_name})


def test_a_broker_that_is_killed_while_one_process_works_and_one_waits_does_not_end_the_worker(
    ground: Ground, tmp_path: Path
) -> None:
    """Nor is what is in hand done twice when the broker is back."""
    port = free_port()
    (tmp_path / "broker").mkdir()
    settings = ground.settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{port}/0")})
    environment = ground.environment | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    name, log = ground.draw(0, SLOW_PX), tmp_path / "worker.log"
    server = start_valkey(tmp_path / "broker", port, appendonly="yes")
    try:
        with (
            Redis(port=port) as redis,
            worker_process(log, environment, queues=ground.keys.ingest, processes=2) as worker,
        ):
            there = replace(ground, settings=settings, redis=redis)
            there.send(name)
            wait_until(there.in_decoder)
            stop_valkey(server)
            wait_until(lambda: "Connection to broker lost" in worker.said())
            server = start_valkey(tmp_path / "broker", port, appendonly="yes")
            wait_until(lambda: worker.said().count("Connected to") == 2)
            redis.connection_pool.disconnect()

            assert (there.telemetry.waiting(), there.telemetry.in_progress()) == (0, 1)
            ground.go.touch()
            wait_until(lambda: there.telemetry.queued() == 0)
            assert there.telemetry.embedded_total() == 1
            assert worker.said().count("received") == 1
    finally:
        stop_valkey(server)


def test_what_a_worker_that_ends_in_order_cannot_finish_is_back_at_once(ground: Ground, tmp_path: Path) -> None:
    with worker_on(ground, tmp_path / "worker.log"):
        message = SyncMessage(paths=[ground.draw(0)])
        send(ground.settings, SYNC, message, queue=ground.keys.ingest, countdown=3600)
        wait_until(lambda: ground.telemetry.in_progress() == 1)

    assert (ground.telemetry.waiting(), ground.telemetry.in_progress()) == (1, 0)


# Without processes: many holders, and what happens at one moment.


def _processes(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
