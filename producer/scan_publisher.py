"""The way out of a scan: batches that wait until the queue is short and the broker is there."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import RedisError

from lookalike.errors import Unreachable
from lookalike.library.folder import FileVersion
from producer.batcher import Batch, Batching, Change, shared_out
from producer.broker_health import BrokerHealth
from producer.in_flight import InFlight
from producer.queue_writer import QueueWriter
from producer.shutdown import sleep

# A batch takes a worker a tenth of a second and more, so this keeps the queue from running dry.
LOOK_S = 0.2
# After the queue is empty, the last batches may still be in work.
LAST_BATCHES_S = 30.0

Answer = TypeVar("Answer")


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
