"""Producer and worker in one process, over a real broker, a real store and real files, which can be made to fail.

The producer's scan compares and enqueues; the worker takes the messages and runs the tasks that ship, retries
included, in another thread. Only the pauses are left out.
"""

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Filter
from redis import Redis

from lookalike.broker.app import celery_app, client_app, redis_of
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.errors import Misconfigured
from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import FolderLibrary
from lookalike.library.opening import candidates_of
from lookalike.messages import SyncMessage
from lookalike.redis_keys import SYNC
from lookalike.settings import Settings, read_settings
from producer.debounce import Debouncer
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.publishing.publisher import QueueWriter, ScanPublisher
from producer.scanning.index_client import IndexClient
from producer.scanning.library_state import LibraryState
from producer.scanning.planner import DeletionGuard
from producer.scanning.scan import Scan
from producer.scanning.scan_requests import ScanRequests
from tests.programs.chaos.judging import judge
from tests.programs.faults.broker import failing_broker
from tests.programs.faults.complaints import complaints_of, stacks
from tests.programs.faults.files import FailingFiles
from tests.programs.faults.injecting import Fault, Injector
from tests.programs.faults.scenario import LEFT_OUT, STAYING, after, before, change
from tests.programs.faults.store import failing_store
from tests.programs.faults.tasks_here import TasksHere
from tests.support.edge import edge_process
from tests.support.faulty.between import server_between
from tests.support.faulty.broker_between import broker_between
from tests.support.tiny_model import tiny_model
from tests.support.valkey import valkey_process
from worker.child_process import ChildProcess
from worker.tasks import define_tasks

LIBRARY_ID = "the-library"
SCANS, WORKS = "scan", "work"
STORE_TIMEOUT_S = 1
# A message that comes back so often would never be done.
MOST_DELIVERIES = 20
ENDS_WITHIN_S = 60.0


@dataclass
class World:
    """Everything of one system."""

    settings: Settings
    root: Path
    injector: Injector
    app: Any
    transport: Any
    redis: Redis
    # Past everything that fails.
    sound_redis: Redis
    sound_store: QdrantClient
    collection: str
    model: Path
    failing: FailingFiles
    # What ended otherwise than it may.
    complaints: list[str] = field(default_factory=list)
    _left: list[dict[str, Any]] = field(default_factory=list)

    def begin(self) -> None:
        """A library that is indexed, and then changed; nothing fails."""
        self.injector.arm()
        self.sound_store.delete(self.collection, points_selector=Filter(), wait=True)
        self.sound_redis.delete(self.settings.keys.ingest, self.settings.keys.rescan)
        self._left, self.complaints = [], []
        before(self.root)
        files = FolderLibrary(self.root, candidates_of(self.settings, self.root)).files()
        self._run(SyncMessage(paths=[file.path for file in files], library=LIBRARY_ID).model_dump(mode="json"))
        after(self.root)

    def compare(self) -> None:
        """One scan, and all that follows from it. Raises TimeoutError if that does not end."""
        scanned = threading.Event()
        threads = [
            threading.Thread(target=self._guarded, args=(self._scan, scanned), name=SCANS, daemon=True),
            threading.Thread(target=self._guarded, args=(self._work, scanned), name=WORKS, daemon=True),
        ]
        with self.failing.failing():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(ENDS_WITHIN_S)
                if thread.is_alive():
                    raise TimeoutError(f"{thread.name} does not end: {self.complaints}\n{''.join(stacks(threads))}")

    def count(self) -> Counter[str]:
        """How often each kind of call is made when nothing fails."""
        self.begin()
        self.injector.arm()
        self.compare()
        return Counter(self.injector.calls)

    def meet(self, *faults: Fault) -> tuple[frozenset[Fault], list[str]]:
        """The faults that a call met, and what is wrong when they are over and another scan was made."""
        self.begin()
        self.injector.arm(*faults)
        self.compare()
        met = frozenset(self.injector.met)
        self.injector.disarm()
        known = self._known()
        wrong = [f"{path} was deleted from the index" for path in STAYING if path not in known]
        self.compare()
        return met, [*wrong, *self.complaints, *self.complain()]

    def complain(self) -> list[str]:
        """What is wrong with the index, compared with the library."""
        return complaints_of(judge(self.root, self.sound_store, self.collection, self.model))

    def _known(self) -> set[str]:
        records, _ = self.sound_store.scroll(self.collection, limit=100)
        return {(record.payload or {})["path"] for record in records}

    def _guarded(self, target: Any, scanned: threading.Event) -> None:
        try:
            target(scanned)
        except Exception as error:  # noqa: BLE001 (a part that ends so is what is looked for)
            self.complaints.append(f"{threading.current_thread().name} ended with {type(error).__name__}: {error}")
        finally:
            if threading.current_thread().name == SCANS:
                scanned.set()

    def _scan(self, _scanned: threading.Event) -> None:
        settings, stop = self.settings.model_copy(update={"ignore": (LEFT_OUT,)}), threading.Event()
        try:
            library = FolderLibrary(self.root, candidates_of(settings, self.root))
        except Misconfigured:
            # The producer says why and ends, and is started again.
            return
        health = BrokerHealth(lambda: None, lambda: 0.0)
        health.succeeded()
        # The breaker's clock: its pauses are over when they begin.
        health.allows_attempt = lambda: True  # type: ignore[method-assign]
        writer = QueueWriter(
            self.transport,
            self.redis,
            settings.keys,
            from_scan=True,
            max_batches=settings.max_queued_batches,
            library=library,
            library_state=LibraryState(LIBRARY_ID),
        )
        publisher = ScanPublisher(
            writer,
            InFlight(lambda: 0.0),
            health,
            stop,
            batch_paths=settings.batch_paths,
            batch_bytes=settings.batch_bytes,
            processes=2,
            in_progress=lambda: 0,
        )
        index = IndexClient(self.transport, health, stop, lambda: None)
        scan = Scan(
            library,
            index,
            publisher,
            deletion_guard=DeletionGuard(settings.max_deleted_share, settings.max_deleted_files),
            settle_s=0.0,
            debouncer=Debouncer(0.0),
            in_flight=InFlight(lambda: 0.0),
            scan_requests=ScanRequests(),
            put_event=lambda _: None,
        )
        try:
            scan.compare(index.counts())
        except LibraryOffline:
            publisher.discard_unsent()

    def _work(self, scanned: threading.Event) -> None:
        left, self._left = self._left, []
        for message in left:
            self._deliver(message)
        keys = self.settings.keys
        while True:
            was_scanned = scanned.is_set()
            taken: Any = self.sound_redis.blmpop(0.02, 2, keys.ingest, keys.rescan, direction="RIGHT")
            if taken:
                self._deliver(json.loads(taken[1][0]))
            elif was_scanned:
                return

    def _deliver(self, message: dict[str, Any]) -> None:
        arguments = json.loads(base64.b64decode(message["body"]))[0]
        queue = message["properties"]["delivery_info"]["routing_key"]
        for _ in range(MOST_DELIVERIES):
            try:
                state = self._run(*arguments, task_id=message["headers"]["id"], queue=queue)
            except Exception as error:  # noqa: BLE001 (such as one of endless retries)
                self.complaints.append(f"a task ended with {type(error).__name__}: {error}")
                return
            if state != "REJECTED":
                return
        self._left.append(message)

    def _run(self, message: Any, *, task_id: str | None = None, queue: str = "") -> str:
        return str(self.app.tasks[SYNC].apply(args=[message], task_id=task_id, routing_key=queue).state)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Starts broker and store; the rest runs in this process."""
    root, injector = folder / "library", Injector()
    root.mkdir()
    model = tiny_model(folder / "tiny.onnx")
    # A client gives up waiting after a while; what was waited for takes longer.
    silence = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_without_pauses())
        valkey_url = stack.enter_context(valkey_process(folder))
        edge = stack.enter_context(edge_process(folder / "store"))
        broker_url = stack.enter_context(broker_between(valkey_url, failing_broker(injector)))
        answer = failing_store(injector, lambda: silence.wait(STORE_TIMEOUT_S + 1.0))
        store_url = stack.enter_context(server_between(edge.url, answer))
        settings = read_settings(
            redis_url=broker_url,
            qdrant_url=store_url,
            library=root,
            library_id=LIBRARY_ID,
            model=str(model),
            provider="cpu",
        )
        app = celery_app(settings, name="faults")
        process = ChildProcess(settings, "the-holder", sleep=lambda _: None)
        define_tasks(app, settings, process)
        process.context.warm_up()
        transport = CeleryTransport(client_app(settings, name="producer"), settings.keys)
        stack.callback(transport.close)
        sound_store = QdrantClient(url=edge.url, check_compatibility=False)
        stack.callback(sound_store.close)
        failing = FailingFiles(root, injector, frozenset({SCANS, WORKS}), change)
        yield World(
            settings,
            root,
            injector,
            app,
            TasksHere(app, transport),
            redis_of(settings),
            Redis.from_url(valkey_url),
            sound_store,
            process.context.collection.name,
            model,
            failing,
        )


@contextmanager
def _without_pauses() -> Iterator[None]:
    """Pauses of libraries, the producer's polling, and the time for which a client of the store waits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redis.retry.sleep", lambda _: None)
        patch.setattr("producer.publishing.publisher.POLL_S", 0.005)
        patch.setattr("producer.scanning.index_client.BACKOFF", lambda _: 0.0)
        patch.setattr("worker.connecting.STORE_TIMEOUT_S", STORE_TIMEOUT_S)
        yield
