"""The way out of a scan: batches that wait until the queue is short and the broker is there."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from lookalike.bounds import MAX_PATH_CHARS
from lookalike.errors import Unreachable
from lookalike.library.folder import FileVersion
from lookalike.library.paths import escape_path
from lookalike.log import fields
from lookalike.messages import SyncMessage
from lookalike.redis_keys import Keys
from lookalike.transport import CeleryTransport
from producer.batcher import Batch, Batching, Change, shared_out
from producer.broker_health import BrokerHealth
from producer.in_flight import InFlight
from producer.shutdown import sleep

log = logging.getLogger(__name__)

# 256 paths: 1 to 3 s for two workers (100 to 250 images/s, 2 cores), so that a new photo is found within 10 s.
EXPRESS_BATCHES = 4
# A batch takes a worker a tenth of a second and more, so this keeps the queue from running dry.
LOOK_S = 0.2
# After the queue is empty, the last batches may still be in work.
LAST_BATCHES_S = 30.0

Answer = TypeVar("Answer")


class QueueWriter:
    """Sends batches to one queue. Raises what redis and Sender raise when the broker is away."""

    def __init__(
        self,
        transport: CeleryTransport,
        redis: Redis,
        names: Keys,
        *,
        from_scan: bool,
        most_batches: int,
        may_remove: Callable[[], bool],
        library_id: Callable[[], str | None],
    ) -> None:
        self._transport = transport
        self._redis = redis
        self._queue = names.rescan if from_scan else names.ingest
        self._from_scan = from_scan
        self._most_batches = most_batches
        self._may_remove = may_remove
        self._library_id = library_id

    def waiting(self) -> int:
        """Batches that no worker has taken yet."""
        return int(self._redis.llen(self._queue))

    def room(self) -> int:
        """How many batches may be sent now."""
        return max(0, self._most_batches - self.waiting())

    def send(self, batch: Batch) -> None:
        """Enqueues a batch. Names that left are said only if the library is there and known by its id."""
        library_id = self._library_id()
        gone = _sayable(batch.gone) if library_id is not None and (not batch.gone or self._may_remove()) else []
        paths = _sayable(batch.paths)
        if paths or gone:
            self._transport.sync(
                SyncMessage(paths=paths, gone=gone, library=library_id), from_scan=self._from_scan, want_result=False
            )


def _sayable(paths: list[str]) -> list[str]:
    said = [escape_path(path) for path in paths]
    too_long = [path for path in said if len(path) > MAX_PATH_CHARS]
    if too_long:
        log.warning(fields("paths too long for a message", count=len(too_long), first=too_long[0][:100]))
    return [path for path in said if len(path) <= MAX_PATH_CHARS]


class Lane(Protocol):
    """A queue that is kept short."""

    def room(self) -> int:
        """How many batches may be sent now."""

    def send(self, batch: Batch) -> None:
        """Enqueues a batch."""


class LivePublisher:
    """Batches that are not enqueued yet."""

    def __init__(self, express: Lane, bulk: Lane) -> None:
        self._express = express
        self._bulk = bulk
        self._fresh: deque[Batch] = deque()
        self._flood: deque[Batch] = deque()
        # Counting them anew for each event would take a square.
        self._paths = 0

    def __len__(self) -> int:
        return self._paths

    def put(self, batches: list[Batch]) -> None:
        """Takes batches that shall be sent."""
        self._fresh.extend(batches)
        self._paths += sum(map(len, batches))

    def send(self) -> None:
        """Sends what finds room. Raises what the lanes raise; nothing is lost then."""
        self._send(self._fresh, self._express)
        self._flood.extend(self._fresh)
        self._fresh.clear()
        self._send(self._flood, self._bulk)

    def _send(self, batches: deque[Batch], lane: Lane) -> None:
        if not batches:
            return
        for _ in range(min(lane.room(), len(batches))):
            lane.send(batches[0])
            self._paths -= len(batches.popleft())


class ScanPublisher:
    """Sends what a scan found; blocks while there is no room. Raises Stopped when the producer ends."""

    def __init__(
        self,
        lane: QueueWriter,
        in_flight: InFlight,
        broker_health: BrokerHealth,
        stop: threading.Event,
        *,
        batch_paths: int,
        batch_bytes: int,
        processes: int,
        in_progress: Callable[[], int],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._lane = lane
        self._in_flight = in_flight
        self._broker_health = broker_health
        self._stop = stop
        self._batching = Batching(batch_paths, batch_bytes, batch_wait_s=0.0)
        # Of the paths that are not sent yet.
        self._stamps: dict[str, FileVersion] = {}
        self._in_work = in_progress
        self._processes = processes
        self._room = 0
        self._sending = 0
        # Called while waiting: the library may leave meanwhile.
        self.check = check
        # Seconds spent waiting for others.
        self.waited_s = 0.0

    def __len__(self) -> int:
        return len(self._batching) + self._sending

    def add(self, change: Change, stamp: FileVersion | None) -> None:
        """Takes a change; sends the batches that it filled."""
        if stamp is not None:
            self._stamps.update(dict.fromkeys(change.paths, stamp))
        for batch in self._batching.add(change, 0.0):
            self._send(batch)

    def flush(self) -> None:
        """Sends what is left."""
        parts = [part for batch in self._batching.flush() for part in shared_out(batch, self._processes)]
        while parts:
            self._send(parts.pop(0), behind=sum(map(len, parts)))

    def forget(self) -> None:
        """Drops what is not sent: the scan ended early and another one will find it."""
        self._batching.flush()
        self._stamps.clear()
        self._sending = 0

    def wait_until_done(self) -> None:
        """Waits until the workers took everything, and a while for them to finish it."""
        while self._ask(self._lane.waiting):
            self._pause()
        patience_s = time.monotonic() + LAST_BATCHES_S
        while time.monotonic() < patience_s and self._ask(self._in_work):
            self._pause()

    def _send(self, batch: Batch, behind: int = 0) -> None:
        self._sending = len(batch) + behind
        while self._room <= 0:
            self._room = self._ask(self._lane.room)
            if self._room <= 0:
                self._pause()
        self._ask(lambda: self._lane.send(batch))
        self._room -= 1
        for path in batch.paths:
            if (stamp := self._stamps.pop(path, None)) is not None:
                self._in_flight.sent(path, stamp)
        self._sending = behind

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        while True:
            try:
                answer = question()
            except (RedisError, OSError, Unreachable) as error:
                self._broker_health.failed(error)
                while not self._broker_health.allows_attempt():
                    self._pause()
            else:
                self._broker_health.succeeded()
                return answer

    def _pause(self) -> None:
        self.check()
        self.waited_s += LOOK_S
        sleep(self._stop, LOOK_S)
