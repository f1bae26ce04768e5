"""The numbers of one system for Prometheus: read from the broker when they are asked for, kept nowhere.

Flower serves them with its own (lookalike/flower_app.py), `lookalike metrics` prints them. What they mean stands in
docs/metrics.md. Needs prometheus_client, which comes with Flower.
"""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.app import client_app, redis_of
from lookalike.broker.measurements import HISTOGRAMS, NOTHING, Histogram, Observed, Stage, read_measured
from lookalike.broker.queue_reports import QueueReport, queue_reports
from lookalike.broker.reports import ProducerReport, SystemReport
from lookalike.broker.telemetry import Telemetry
from lookalike.client.status import COUNTS_S
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.client.transports.transport import IndexReader
from lookalike.errors import LookalikeError, Unreachable
from lookalike.messages import CountsReply
from lookalike.redis_keys import Keys
from lookalike.settings import Settings
from lookalike.system.parts import PART_NAMES

# Short: the caller waits, and Prometheus gives up after ten seconds by default.
BROKER_S = 2.0
LABELS = {"images": "outcome", "searches": "outcome", "starts": "part", "stage_seconds": "stage", "batch_files": ""}
HELP = {
    "images": "Files that sync tasks finished, by what became of them.",
    "searches": "Searches that a worker took, by whether it answered.",
    "starts": "Starts of a part's main process; all but the first are restarts.",
    "stage_seconds": "Seconds of one piece of work in a worker process.",
    "batch_files": "Files in one attempt of a sync task.",
}
# What is known to come; at 0 until it does, so that a rate of it can be asked for from the beginning.
KNOWN = {
    "images": ("embedded", "copied", "rejected", "unchanged", "absent", "deleted"),
    "searches": ("answered", "failed"),
    "starts": PART_NAMES,
    "stage_seconds": get_args(Stage),
    "batch_files": ("",),
}
Counts = Callable[[], CountsReply | None]


class SystemCollector(Collector):
    """Reads one system. `counts` gives the sizes of the index, None while they are not known; `data` is a folder."""

    def __init__(self, redis: Redis, keys: Keys, counts: Counts, data: Path) -> None:
        self._redis = redis
        self._keys = keys
        self._counts = counts
        self._data = data

    def describe(self) -> Iterable[Metric]:
        """Nothing: otherwise the registry would ask the broker when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics; without the broker only that it does not answer, and the disk."""
        try:
            families = [*self._of_broker()]
        except (RedisError, OSError):
            families = [_gauge("broker_up", "Whether the broker answers.", 0)]
        yield from families
        yield from _disk(self._data)

    def _of_broker(self) -> Iterator[Metric]:
        report, queues = Telemetry(self._redis, self._keys).system_report(), queue_reports(self._redis, self._keys)
        measured = read_measured(self._redis, self._keys)
        yield _gauge("broker_up", "Whether the broker answers.", 1)
        for counter, values in measured.counters.items():
            yield _counters(counter, HELP[counter], LABELS[counter], dict.fromkeys(KNOWN[counter], 0) | values)
        for histogram in HISTOGRAMS:
            yield _histogram(histogram, measured.histograms[histogram.name])
        yield from _work(report, queues)
        yield from _library(report.producer)
        counts = self._counts() if report.alive["search"] else None
        if counts is not None:
            files = {"indexed": counts.indexed, "rejected": counts.rejected}
            yield _gauges("index_files", "Entries of the index.", "status", files)


class LatestCounts:
    """The sizes of the index as they were found last; each call has them looked for again, in a thread.

    So the caller does not wait for a search worker, which may be busy.
    """

    def __init__(self, ask: Counts) -> None:
        self._ask = ask
        self._latest: CountsReply | None = None
        self._asking = threading.Lock()

    def __call__(self) -> CountsReply | None:
        """Those of the last time; None before."""
        if self._asking.acquire(blocking=False):
            threading.Thread(target=self._look, name="index-counts", daemon=True).start()
        return self._latest

    def _look(self) -> None:
        try:
            self._latest = self._ask()
        finally:
            self._asking.release()


def collector_of(settings: Settings, *, waits: bool) -> SystemCollector:
    """The collector of these settings. With `waits` it asks for the index's sizes at once, else see LatestCounts.

    Raises NotRunning if no broker is named. Connects when it is first asked.
    """
    limits = {"socket_connect_timeout": BROKER_S, "socket_timeout": BROKER_S}
    redis = redis_of(settings, **limits)
    transport = CeleryTransport(client_app(settings), settings.keys)

    def ask() -> CountsReply | None:
        with suppress(LookalikeError):
            return IndexReader(transport).counts(timeout_s=COUNTS_S)
        return None

    return SystemCollector(redis, settings.keys, ask if waits else LatestCounts(ask), settings.data or Path())


def metrics_text(settings: Settings) -> str:
    """All metrics in Prometheus' text format. Raises NotRunning, and Unreachable if the broker does not answer."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector_of(settings, waits=True))
    text = generate_latest(registry).decode()
    if "\nlookalike_broker_up 0.0\n" in text:
        raise Unreachable("The broker does not answer: check `lookalike status` and REDIS_URL.")
    return text


def _work(report: SystemReport, queues: Mapping[str, QueueReport]) -> Iterator[Metric]:
    yield _gauge("backlog_files", "Files in messages that wait or that a worker has not acknowledged.", report.queued)
    yield _gauge("held_files", "Files that wait in the producer for room in the queue.", report.producer.held)
    yield _gauge("settling_files", "Files that are still changing.", report.producer.settling)
    waiting = {queue: found.waiting for queue, found in queues.items()}
    held = {queue: found.unacknowledged for queue, found in queues.items()}
    oldest = {queue: found.oldest_s for queue, found in queues.items()}
    yield _gauges("queue_messages", "Messages that wait in a queue.", "queue", waiting)
    yield _gauges("unacknowledged_messages", "Messages that workers took and hold.", "queue", held)
    yield _gauges("oldest_message_age_seconds", "Seconds since the oldest message was sent.", "queue", oldest)
    yield _gauges("part_processes", "Programs of a part that give a sign of life.", "part", report.alive)
    asked = report.reindex if report.reindex is not None and report.reindex.order else None
    second = {"done": 0 if asked is None else asked.done, "total": 0 if asked is None else asked.total}
    yield _gauges("reindex_files", "Files of a second index that a reindex fills in; 0 without one.", "kind", second)
    yield _gauge("store_waited_for", "Whether a worker waits, mostly for the store.", bool(report.wait_reason))


def _library(producer: ProducerReport) -> Iterator[Metric]:
    files = {"discovered": producer.discovered, "ignored": producer.ignored}
    yield _gauges("library_files", "Files in the library.", "kind", files)
    yield _gauge("library_offline", "Whether the library cannot be seen.", producer.state == "offline")
    yield _gauge("watcher_lag_seconds", "How long the watcher's oldest event waits.", producer.lag_s)
    yield _counters("scans", "Whole comparisons of library and index.", "", {"": producer.scans})
    differences = {
        "changed": producer.scan_changed,
        "moved": producer.scan_moved,
        "removed": producer.scan_removed,
        "left_out": producer.scan_left_out,
    }
    yield _counters("scan_differences", "Files that scans found to differ.", "kind", differences)
    yield _gauge("last_scan_timestamp_seconds", "Unix time at which the last scan ended.", producer.scan_ended_at)


def _disk(folder: Path) -> Iterator[Metric]:
    with suppress(OSError):
        usage = shutil.disk_usage(folder)
        yield _gauge("disk_free_bytes", "Free space where the data folder is.", usage.free)
        yield _gauge("disk_size_bytes", "Size of that disk.", usage.total)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"lookalike_{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"lookalike_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"lookalike_{name}", text, labels=[label] if label else [])
    for key, value in sorted(values.items()):
        family.add_metric([key] if label else [], value)
    return family


def _histogram(histogram: Histogram, labels: Mapping[str, Observed]) -> Metric:
    label = LABELS[histogram.name]
    family = HistogramMetricFamily(f"lookalike_{histogram.name}", HELP[histogram.name], labels=[label] if label else [])
    for key, observed in sorted({**dict.fromkeys(KNOWN[histogram.name], NOTHING), **labels}.items()):
        total, cumulative = 0, []
        for bound in (*histogram.bounds, inf):
            total += observed.buckets.get(bound, 0)
            cumulative.append(("+Inf" if bound == inf else str(bound), total))
        family.add_metric([key] if label else [], cumulative, sum_value=observed.sum)
    return family
