"""The way out of the loop: what just happened goes by `ingest`, and what is too much for it by `rescan`.

Thousands of files copied in at once would hold up the single photo that comes after them. So `ingest` is kept
very short, whatever finds no room in it at once goes the way of a scan, and workers take from `ingest` first.
"""

from collections import deque
from typing import Protocol

from producer.batcher import Batch

# 256 paths: 1 to 3 s for two workers (100 to 250 images/s, 2 cores), so that a new photo is found within 10 s.
EXPRESS_BATCHES = 4


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
