"""Enqueues batches for the workers: events go to the queue `ingest`, and what a scan finds to `rescan`.

Both queues are kept short, so that Redis stays small. Thousands of files copied in at once would delay the single
photo that comes after them. So `ingest` is kept very short, batches that find no room in it at once go to `rescan`,
and workers take from `ingest` first.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.index_state import IndexState
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.errors import Unreachable
from lookalike.library.kinds import Library
from lookalike.library.paths import escape_path
from lookalike.library.rules import Candidates
from lookalike.library.version import FileVersion
from lookalike.log import get_logger
from lookalike.messages import MAX_MESSAGE_PATHS, MAX_PATH_CHARS, SyncMessage
from lookalike.redis_keys import Keys
from producer.publishing.batcher import Batch, Batcher, Change, split_evenly
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.scanning.library_state import LibraryState
from producer.shutdown import sleep

log = get_logger(__name__)

# 256 paths: 1 to 3 s for two workers (100 to 250 images/s, 2 cores), so that a new photo is found within 10 s.
EXPRESS_BATCHES = 4
# A batch takes a worker a tenth of a second and more, so polling at this rate keeps the queue from running dry.
POLL_S = 0.2
# After the queue is empty, workers may still be busy with the last batches.
LAST_BATCHES_S = 30.0

Answer = TypeVar("Answer")


class BatchQueue(Protocol):
    """A queue that is kept short."""

    def room(self) -> int:
        """How many batches may be sent now."""

    def send_batch(self, batch: Batch) -> None:
        """Enqueues a batch."""


class QueueWriter:
    """Writes batches to one queue. Raises RedisError or Unreachable while the broker is unavailable."""

    def __init__(
        self,
        transport: CeleryTransport,
        redis: Redis,
        keys: Keys,
        *,
        from_scan: bool,
        max_batches: int,
        library: Library,
        library_state: LibraryState,
    ) -> None:
        self._transport = transport
        self._redis = redis
        self._keys = keys
        self._queue = keys.rescan if from_scan else keys.ingest
        self._from_scan = from_scan
        self._max_batches = max_batches
        self._library = library
        self._library_state = library_state

    def waiting(self) -> int:
        """Batches that no worker has taken yet."""
        return int(self._redis.llen(self._queue))

    def room(self) -> int:
        """How many batches may be sent now."""
        return max(0, self._max_batches - self.waiting())

    def send_left_out(self, paths: list[str], rules: Candidates) -> None:
        """Enqueues paths of the index, as messages have them, that these rules leave out; stores the rules first."""
        IndexState(self._redis, self._keys).store_rules(rules.to_json())
        message = SyncMessage(left_out=paths, rules=rules.digest, library=self._library_state.library_id)
        self._transport.sync(message, from_scan=self._from_scan, want_result=False)

    def send_batch(self, batch: Batch) -> None:
        """Enqueues a batch; its `gone` paths only if the library is available and its id is known."""
        library_id = self._library_state.library_id
        may_delete = library_id is not None and (not batch.gone or self._library.absence() is None)
        gone = _escaped_within_limit(batch.gone) if may_delete else []
        paths = _escaped_within_limit(batch.paths)
        if paths or gone:
            self._transport.sync(
                SyncMessage(paths=paths, gone=gone, library=library_id), from_scan=self._from_scan, want_result=False
            )


class LivePublisher:
    """Batches of events that are not enqueued yet."""

    def __init__(self, express: BatchQueue, bulk: BatchQueue) -> None:
        self._express = express
        self._bulk = bulk
        self._fresh: deque[Batch] = deque()
        self._overflow: deque[Batch] = deque()
        # Kept as a counter: recounting per event would be quadratic.
        self._paths = 0

    def __len__(self) -> int:
        return self._paths

    def add_batches(self, batches: list[Batch]) -> None:
        """Adds batches to be published."""
        self._fresh.extend(batches)
        self._paths += sum(map(len, batches))

    def publish_batches(self) -> int:
        """Enqueues the batches that find room; returns how many. Raises what the queues raise, and keeps them then."""
        sent = self._fill(self._express, self._fresh)
        self._overflow.extend(self._fresh)
        self._fresh.clear()
        return sent + self._fill(self._bulk, self._overflow)

    def _fill(self, queue: BatchQueue, batches: deque[Batch]) -> int:
        fitting = min(queue.room(), len(batches)) if batches else 0
        for _ in range(fitting):
            queue.send_batch(batches[0])
            self._paths -= len(batches.popleft())
        return fitting


class ScanPublisher:
    """Publishes what a scan found; blocks while the queue is full or the broker is unavailable.

    Every method that blocks calls `check` meanwhile, which raises when the scan has to end, and raises Stopped when
    the producer ends.
    """

    def __init__(
        self,
        queue_writer: QueueWriter,
        in_flight: InFlight,
        broker_health: BrokerHealth,
        stop: threading.Event,
        *,
        batch_paths: int,
        batch_bytes: int,
        processes: int,
        in_progress: Callable[[], int],
    ) -> None:
        self._queue_writer = queue_writer
        self._in_flight = in_flight
        self._broker_health = broker_health
        self._stop = stop
        self._batcher = Batcher(batch_paths, batch_bytes, batch_wait_s=0.0)
        # Of the paths that are not sent yet.
        self._versions: dict[str, FileVersion] = {}
        self._in_progress = in_progress
        self._processes = processes
        self._room = 0
        self._sending = 0
        # Seconds spent waiting for workers and broker.
        self.waited_s = 0.0

    def __len__(self) -> int:
        return len(self._batcher) + self._sending

    def publish_change(self, change: Change, version: FileVersion | None, check: Callable[[], None]) -> None:
        """Adds a change; sends the batches that it filled."""
        if version is not None:
            self._versions.update(dict.fromkeys(change.paths, version))
        for batch in self._batcher.add_change(change, 0.0):
            self._send(batch, check)

    def publish_rest(self, check: Callable[[], None]) -> None:
        """Sends the unfinished batch, split among the processes."""
        parts = [part for batch in self._batcher.flush() for part in split_evenly(batch, self._processes)]
        while parts:
            self._send(parts.pop(0), check, behind=sum(map(len, parts)))

    def publish_left_out(self, paths: Sequence[str], rules: Candidates, check: Callable[[], None]) -> None:
        """Sends paths of the index, as messages have them, that these rules leave out."""
        for start in range(0, len(paths), MAX_MESSAGE_PATHS):
            part = list(paths[start : start + MAX_MESSAGE_PATHS])
            self._retry(lambda part=part: self._queue_writer.send_left_out(part, rules), check)  # type: ignore[misc]

    def discard_unsent(self) -> None:
        """Drops what is not sent: the scan ended early, and the next one finds it again."""
        self._batcher.flush()
        self._versions.clear()
        self._sending = 0

    def wait_for_workers(self, check: Callable[[], None]) -> None:
        """Waits until the queue is empty, and up to LAST_BATCHES_S until no worker is busy."""
        while self._retry(self._queue_writer.waiting, check):
            self._pause(check)
        deadline_s = time.monotonic() + LAST_BATCHES_S
        while time.monotonic() < deadline_s and self._retry(self._in_progress, check):
            self._pause(check)

    def _send(self, batch: Batch, check: Callable[[], None], behind: int = 0) -> None:
        self._sending = len(batch) + behind
        while self._room <= 0:
            self._room = self._retry(self._queue_writer.room, check)
            if self._room <= 0:
                self._pause(check)
        self._retry(lambda: self._queue_writer.send_batch(batch), check)
        self._room -= 1
        for path in batch.paths:
            if (version := self._versions.pop(path, None)) is not None:
                self._in_flight.mark_sent(path, version)
        self._sending = behind

    def _retry(self, call: Callable[[], Answer], check: Callable[[], None]) -> Answer:
        while True:
            try:
                answer = call()
            except (RedisError, OSError, Unreachable) as error:
                self._broker_health.failed(error)
                while not self._broker_health.allows_attempt():
                    self._pause(check)
            else:
                self._broker_health.succeeded()
                return answer

    def _pause(self, check: Callable[[], None]) -> None:
        check()
        self.waited_s += POLL_S
        sleep(self._stop, POLL_S)


def _escaped_within_limit(paths: list[str]) -> list[str]:
    escaped = [escape_path(path) for path in paths]
    too_long = [path for path in escaped if len(path) > MAX_PATH_CHARS]
    if too_long:
        log.warning("paths too long for a message", count=len(too_long), first=too_long[0][:100])
    return [path for path in escaped if len(path) <= MAX_PATH_CHARS]
