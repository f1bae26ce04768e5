"""Counters and histograms of the work, kept in one Redis hash that all processes of a system add to.

    <name>:metrics   hash   images:<outcome>            files: embedded, copied, rejected, unchanged, absent, deleted
                            searches:<outcome>          search tasks: answered, failed
                            starts:<part>               starts of a part's main process
                            <histogram>:<label>:<bound> observations in this bucket and in no lower one
                            <histogram>:<label>:sum     sum of all of them

A process collects in memory and writes with a request that it makes anyway, or once a second, so no photo and no search
costs one. What cannot be
written is dropped: numbers for people to look at, for which no work may wait or fail. They live as long as the
broker's data; a counter that starts at 0 again is what Prometheus expects of one.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from redis import Redis
from redis.client import Pipeline

from lookalike.redis_keys import Keys

Stage = Literal["lookup", "read", "decode", "embed", "upsert", "delete", "search"]
Counter = Literal["images", "searches", "starts"]


@dataclass(frozen=True)
class Histogram:
    """A histogram: upper bounds of its buckets, ascending; above the last one there is another."""

    name: str
    bounds: tuple[float, ...]

    def bucket(self, value: float) -> float:
        """The bound of the bucket that the value is in; infinity above the last."""
        at = bisect_left(self.bounds, value)
        return self.bounds[at] if at < len(self.bounds) else inf


# A file that is read from a page cache takes less than a millisecond, a run of 64 images on a busy core many seconds.
STAGE_SECONDS = Histogram(
    "stage_seconds", (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
)
BATCH_FILES = Histogram("batch_files", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0))
HISTOGRAMS = (STAGE_SECONDS, BATCH_FILES)


class Measurements:
    """What one process counted since it was last taken. For one thread at a time."""

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._added: defaultdict[str, float] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._added)

    def count(self, counter: Counter, label: str, by: int = 1) -> None:
        """Adds to a counter."""
        if by:
            self._added[f"{counter}:{label}"] += by

    def observe(self, histogram: Histogram, value: float, label: str = "") -> None:
        """Adds an observation."""
        self._added[f"{histogram.name}:{label}:{histogram.bucket(value):g}"] += 1
        self._added[f"{histogram.name}:{label}:sum"] += float(value)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Observes how many seconds the block takes, also if it raises."""
        begun_s = self._now_s()
        try:
            yield
        finally:
            self.observe(STAGE_SECONDS, self._now_s() - begun_s, stage)

    def take(self) -> Mapping[str, float]:
        """All since the last call: integers are counts, floats are sums."""
        taken, self._added = self._added, defaultdict(int)
        return taken


@dataclass(frozen=True)
class Observed:
    """A histogram's observations under one label: how many are in each bucket alone, by bound, and their sum."""

    buckets: Mapping[float, int]
    sum: float


NOTHING = Observed({}, 0.0)


@dataclass(frozen=True)
class Measured:
    """All that was counted: counters by label, histograms by label."""

    counters: Mapping[str, dict[str, int]]
    histograms: Mapping[str, Mapping[str, Observed]]


def read_measured(redis: Redis, keys: Keys) -> Measured:
    """All that the processes of a system counted; unknown fields are a newer version's and passed over."""
    counters: dict[str, dict[str, int]] = {name: {} for name in get_args(Counter)}
    buckets: dict[str, dict[str, dict[float, int]]] = {histogram.name: {} for histogram in HISTOGRAMS}
    sums: dict[str, dict[str, float]] = {histogram.name: {} for histogram in HISTOGRAMS}
    found: dict[bytes, bytes] = redis.hgetall(keys.metrics)  # type: ignore[assignment]
    for field, value in found.items():
        name, _, rest = field.decode().partition(":")
        label, _, bound = rest.rpartition(":")
        if name in counters:
            counters[name][rest] = int(value)
        elif name in buckets and bound == "sum":
            sums[name][label] = float(value)
        elif name in buckets:
            buckets[name].setdefault(label, {})[float(bound)] = int(value)
    histograms = {
        name: {label: Observed(each, sums[name].get(label, 0.0)) for label, each in labels.items()}
        for name, labels in buckets.items()
    }
    return Measured(counters, histograms)


def add_measured(pipe: Pipeline, keys: Keys, added: Mapping[str, float]) -> None:
    """Adds the commands to a pipeline that is about to be sent."""
    for field, by in added.items():
        if isinstance(by, int):
            pipe.hincrby(keys.metrics, field, by)
        else:
            pipe.hincrbyfloat(keys.metrics, field, by)


def write_measured(redis: Redis, keys: Keys, added: Mapping[str, float]) -> None:
    """Writes them in one request. Raises RedisError."""
    if added:
        with redis.pipeline(transaction=False) as pipe:
            add_measured(pipe, keys, added)
            pipe.execute()
