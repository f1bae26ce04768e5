"""Soaks a worker in messages that are tried again, and shows what it holds: `python -m tests.programs.chaos.hoard`.

The disk fails over each sixth file, so each such message is tried four times, five seconds apart; the broker is killed
and started again with what its append file has, and so is the store. A worker that hoards shows in two numbers: its
prefetch count has moved, or it holds messages though the queues are empty.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.app import celery_app
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC, Keys
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.pictures import encoded, picture
from tests.support.tiny_model import tiny_model
from tests.support.valkey import free_port, valkey_binary
from tests.support.waiting import wait_until
from tests.support.workers import worker_environment, worker_process

BAD, BAD_EACH, LOOK_S = "bad-", 6, 5.0
# A `sitecustomize` for workers: a disk that fails over files of these names, which no machine has at hand.
FAILING_DISK = f"""
import errno, os
really = os.open
def open_or_fail(path, *args, **kwargs):
    if {BAD!r} in str(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)
    return really(path, *args, **kwargs)
os.open = open_or_fail
"""


class Ground:
    """Broker and store on fixed ports, each of which can be killed and started again with what it had."""

    def __init__(self, folder: Path) -> None:
        self.broker_port, self.store_port = free_port(), free_port()
        self._folder = folder
        self._running = {"broker": ExitStack(), "store": ExitStack()}
        for part in self._running:
            self._start(part)

    def restart(self, part: str) -> None:
        """Kills it and starts it again two seconds later."""
        self._running[part].close()
        time.sleep(2.0)
        self._start(part)
        _say(f"{part} was killed and is back")

    def close(self) -> None:
        """Kills both."""
        for running in self._running.values():
            running.close()

    def _start(self, part: str) -> None:
        started: AbstractContextManager[object] = (
            _broker(self._folder / "broker", self.broker_port)
            if part == "broker"
            else edge_process(self._folder / "store", self.store_port)
        )
        self._running[part].enter_context(started)


def main() -> None:
    """Ends when nothing is left to do, or after `--seconds`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--restarts", type=int, default=6, help="of the broker, and half as many of the store")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), asked.messages, asked.seconds, asked.restarts)


def soak(folder: Path, messages: int, seconds: float, restarts: int) -> None:
    """One run in this folder."""
    library, site = folder / "library", folder / "site"
    for made in (library, site, folder / "broker"):
        made.mkdir()
    (site / "sitecustomize.py").write_text(FAILING_DISK)
    (library / "good.png").write_bytes(encoded(picture(1)))
    model = tiny_model(folder / "tiny.onnx")
    ground = Ground(folder)
    try:
        url = f"redis://127.0.0.1:{ground.broker_port}/0"
        settings = read_settings(redis_url=url, library=library, model=str(model))
        environment = worker_environment(
            REDIS_URL=url,
            QDRANT_URL=f"http://127.0.0.1:{ground.store_port}",
            LOOKALIKE_LIBRARY=library,
            LOOKALIKE_LIBRARY_ID="soaked",
            LOOKALIKE_MODEL=model,
            PYTHONPATH=site,
        )
        queues = f"{settings.keys.ingest},{settings.keys.rescan}"
        app = celery_app(settings)
        with worker_process(folder / "worker.log", environment, queues=queues) as worker:
            _send(app, settings.keys, library, messages)
            _watch(app, settings.keys, ground, seconds, restarts)
            log = worker.said()
        _say(f"tried again {log.count('Retry in')}, connected again {log.count('Connected to') - 1}")
    finally:
        ground.close()


def _send(app: Celery, keys: Keys, library: Path, messages: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for at in range(messages):
            name = f"gone-{at}.png" if at % BAD_EACH else f"{BAD}{at}.png"
            if name.startswith(BAD):
                (library / name).touch()
            arguments = [SyncMessage(paths=[name]).model_dump(mode="json")]
            app.send_task(SYNC, args=arguments, queue=keys.rescan, producer=producer)


def _watch(app: Celery, keys: Keys, ground: Ground, seconds: float, restarts: int) -> None:
    begun_s = time.monotonic()
    # In the first third, so that the rest shows what is left of it.
    due_s = [seconds / 3 * (at + 1) / (restarts + 1) for at in range(restarts)]
    _say("seconds waiting held scheduled prefetch")
    with Redis(port=ground.broker_port) as redis:
        while (passed_s := time.monotonic() - begun_s) < seconds:
            try:
                waiting = redis.llen(keys.rescan)
                held = sum(redis.hlen(key) for key in redis.scan_iter(f"{keys.unacked('')}*", _type="hash"))
                asked = app.control.inspect(timeout=2.0)
                stats, scheduled = asked.stats() or {}, asked.scheduled() or {}
            except (RedisError, OperationalError, OSError):
                # Connections that the last broker took along.
                time.sleep(0.5)
                continue
            prefetch = [said["prefetch_count"] for said in stats.values()]
            _say(f"{passed_s:.0f} {waiting} {held} {sum(map(len, scheduled.values()))} {prefetch}")
            if not waiting and not held:
                break
            if due_s and passed_s >= due_s[0]:
                del due_s[0]
                ground.restart("broker")
                if len(due_s) % 2:
                    ground.restart("store")
            time.sleep(LOOK_S)


@contextmanager
def _broker(folder: Path, port: int) -> Iterator[None]:
    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "yes"}
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen([valkey_binary(), *arguments], stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port) as redis:
            wait_until(lambda: _answers(redis))
        yield
    finally:
        server.kill()
        server.wait()


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
