"""A real worker process before a broker that fails: delivering, holding, retrying and acknowledging of messages.

Each fault is met while one message is on its way. Then the message is sent once more, as the next scan would, and the
index must equal the library.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from qdrant_client import QdrantClient
from redis import Redis

from lookalike.broker.app import client_app
from lookalike.broker.telemetry import Telemetry
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.library.version import version_of
from lookalike.messages import SyncMessage
from lookalike.redis_keys import Keys
from lookalike.settings import read_settings
from tests.programs.faults.broker import LOADING, LOST, OOM
from tests.programs.faults.injecting import Fault, Injector
from tests.support.edge import edge_process
from tests.support.faulty.broker_between import Command, Lost, broker_between
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_environment, worker_process

LIBRARY_ID = "the-library"
# The pool starts another process; what it held is done again.
KILLED = "kill -9 of the process"
ERRORS = (*LOST, LOADING, OOM, KILLED)
KEYS = Keys("lookalike")
# What is done with a message: of which commands, about keys that begin so.
KINDS: dict[str, tuple[frozenset[bytes], str]] = {
    "deliver": (frozenset({b"BRPOP"}), KEYS.ingest),
    "hold": (frozenset({b"HSET"}), KEYS.unacked("")),
    "look up": (frozenset({b"HEXISTS"}), KEYS.unacked("")),
    "mark": (frozenset({b"HSET"}), f"{KEYS.system}:danger:"),
    "unmark": (frozenset({b"HDEL"}), f"{KEYS.system}:danger:"),
    "acknowledge": (frozenset({b"HDEL"}), KEYS.unacked("")),
    "commit": (frozenset({b"EXEC"}), ""),
}
TAKES_MEMORY = frozenset({"hold", "mark", "commit"})
# More transactions than one message takes, and renewals of the lease among them.
TRANSACTIONS = 6
WITHIN_S = 60.0


def kind_of(command: Command) -> str | None:
    """What is done with a message by this command; None for all others."""
    key = command[1].decode("utf-8", "replace") if len(command) > 1 else ""
    found = (kind for kind, (names, prefix) in KINDS.items() if command[0].upper() in names and key.startswith(prefix))
    return next(found, None)


def delivery_faults() -> list[Fault]:
    """Every kind with every error; of transactions the first ones."""
    numbers = {"commit": TRANSACTIONS}
    return [
        Fault(kind, nth, error)
        for kind in KINDS
        for nth in range(1, 1 + numbers.get(kind, 1))
        for error in ERRORS
        if error != OOM or kind in TAKES_MEMORY
    ]


@dataclass
class Delivery:
    """A running worker, and all around it."""

    root: Path
    injector: Injector
    worker: WorkerProcess
    transport: CeleryTransport
    telemetry: Telemetry
    store: QdrantClient
    _drawn: int = 0

    def meet(self, fault: Fault) -> tuple[bool, list[str]]:
        """Whether a call failed, and what is wrong when the fault is over and the message was sent again."""
        self._drawn += 2
        gone = sorted(path.name for path in self.root.glob("*.png"))[:1]
        for name in gone:
            (self.root / name).unlink()
        paths = [draw(self.root / f"{number:04}.png", number).name for number in (self._drawn, self._drawn + 1)]
        message = SyncMessage(paths=paths, gone=gone, library=LIBRARY_ID)
        self.injector.arm(fault)
        # Twice: the worker has asked for the first one already.
        self._send(message)
        self._send(message)
        met = bool(self.injector.met)
        self.injector.disarm()
        self._send(message)
        return met, self._wrong()

    def _send(self, message: SyncMessage) -> None:
        self.transport.sync(message, want_result=False)
        wait_until(lambda: self.telemetry.queued() == 0, WITHIN_S, told=self.worker.said)

    def _wrong(self) -> list[str]:
        records, _ = self.store.scroll("lookalike", limit=1000)
        known = {(record.payload or {})["path"]: (record.payload or {})["version"] for record in records}
        found = {path.name: version_of(path.stat()).token for path in self.root.glob("*.png")}
        lost = [f"lost {path}" for path in found.keys() - known.keys()]
        ghosts = [f"ghost {path}" for path in known.keys() - found.keys()]
        return [*lost, *ghosts, *(f"wrong: {path}" for path in found if known.get(path, found[path]) != found[path])]


@contextmanager
def delivery(folder: Path) -> Iterator[Delivery]:
    """Starts broker, store and a worker with one process."""
    root, injector = folder / "library", Injector()
    root.mkdir()
    model = tiny_model(folder / "tiny.onnx")
    worker: list[WorkerProcess] = []

    def rule(command: Command) -> Lost | str | None:
        kind = kind_of(command)
        error = None if kind is None else injector.meet(kind)
        if error == KILLED:
            for child in psutil.Process(worker[0].process.pid).children():
                os.kill(child.pid, signal.SIGKILL)
            return None
        return None if error is None else LOST.get(error, error)

    with ExitStack() as stack:
        valkey_url = stack.enter_context(valkey_process(folder))
        edge = stack.enter_context(edge_process(folder / "store"))
        broker_url = stack.enter_context(broker_between(valkey_url, rule))
        environment = worker_environment(
            REDIS_URL=broker_url,
            QDRANT_URL=edge.url,
            LOOKALIKE_LIBRARY=root,
            LOOKALIKE_LIBRARY_ID=LIBRARY_ID,
            LOOKALIKE_MODEL=model,
            LOOKALIKE_PROVIDER="cpu",
            LOOKALIKE_TRY_AGAIN_S="0.1",
        )
        worker.append(stack.enter_context(worker_process(folder / "worker.log", environment, queues=KEYS.ingest)))
        settings = read_settings(redis_url=valkey_url, library=root, model=str(model))
        transport = CeleryTransport(client_app(settings), settings.keys)
        stack.callback(transport.close)
        store = QdrantClient(url=edge.url, check_compatibility=False)
        stack.callback(store.close)
        redis = stack.enter_context(Redis.from_url(valkey_url))
        yield Delivery(root, injector, worker[0], transport, Telemetry(redis, settings.keys), store)
