"""How many connections many threads and many searches take: `python -m tests.programs.connections --searches 10000`.

A real Valkey, store and worker. Sockets are counted in this process, and at the server as those clients of
`CLIENT LIST` whose address is one of them; both while the searches run, every few milliseconds, and after `close`.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from lookalike import Client
from lookalike.settings import Settings, read_settings
from tests.support.edge import edge_process
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.valkey import valkey_process
from tests.support.workers import worker_environment, worker_process

SAMPLE_EVERY_S = 0.005
NAME = "1.png"


@dataclass(frozen=True)
class Peak:
    """The most connections to the broker at one time: sockets of this process, and clients at the server."""

    sockets: int
    clients: int


@contextmanager
def system(folder: Path) -> Iterator[Settings]:
    """A broker, a store and a worker with one picture."""
    draw(folder / "library" / NAME, 1)
    with valkey_process(folder) as url, edge_process(folder / "store") as edge:
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=folder / "library",
            LOOKALIKE_LIBRARY_ID="the-library",
            LOOKALIKE_MODEL=tiny_model(folder / "tiny.onnx"),
        )
        with worker_process(folder / "worker.log", environment, queues="lookalike:ingest,lookalike:search"):
            settings = read_settings(redis_url=url)
            with Client(settings) as client:
                client.sync([NAME]).result(timeout_s=60)
            yield settings


def measure(client: Client, name: str = NAME, *, threads: int, searches: int) -> Peak:
    """The peak while so many threads make so many searches through one client that has not connected yet."""
    assert client.settings.redis_url is not None
    url, begun, done = client.settings.redis_url.get_secret_value(), threading.Event(), threading.Event()
    peaks: list[Peak] = []

    def watch() -> None:
        with Redis.from_url(url) as redis:
            redis.ping()
            before = count(redis)
            begun.set()
            while not done.wait(SAMPLE_EVERY_S):
                now = count(redis)
                peaks.append(Peak(now.sockets - before.sockets, now.clients - before.clients))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun.wait()
    try:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(lambda _: client.search(name, 1).result(timeout_s=60)[0].path, range(searches)))
    finally:
        done.set()
        watcher.join()
    assert found == [name] * searches
    return Peak(max(peak.sockets for peak in peaks), max(peak.clients for peak in peaks))


def count(redis: Redis) -> Peak:
    """The connections of this process to this broker now, without the one that asks."""
    port = redis.connection_pool.connection_kwargs["port"]
    own = [
        connection
        for connection in psutil.Process().net_connections("tcp")
        if connection.raddr and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
    ]
    addresses = {f"{connection.laddr.ip}:{connection.laddr.port}" for connection in own}
    clients = [client for client in redis.client_list() if client["addr"] in addresses]
    return Peak(len(own) - 1, len(clients) - 1)


def main() -> int:
    """Exit code: 1 if many searches took more connections than few, or any was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.connections", description=main.__doc__)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--searches", type=int, default=10_000)
    parser.add_argument("--few", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, system(Path(folder)) as settings:
        peaks = {}
        for searches in (given.few, given.searches):
            begun = time.monotonic()
            with Client(settings) as client:
                peaks[searches] = measure(client, threads=given.threads, searches=searches)
            took = time.monotonic() - begun
            print(f"{given.threads} threads, {searches} searches, {took:.1f} s: {peaks[searches]}")  # noqa: T201
        with Redis.from_url(settings.redis_url.get_secret_value()) as redis:  # type: ignore[union-attr]
            redis.ping()
            left = count(redis)
    print(f"after close: {left}")  # noqa: T201
    few, many = peaks[given.few], peaks[given.searches]
    return int(many.sockets > few.sockets or many.clients > few.clients or left != Peak(0, 0))


if __name__ == "__main__":
    raise SystemExit(main())
