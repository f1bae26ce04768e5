"""One child of a worker's pool: its model, its connections, and what it reports of itself."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.index_state import IndexState
from lookalike.broker.measurements import STAGE_SECONDS, Measurements, write_measured
from lookalike.broker.telemetry import Telemetry
from lookalike.client.transports.job_records import JobRecords
from lookalike.client.transports.results import CANCELLED
from lookalike.errors import Cancelled, Refused, Unreachable
from lookalike.library.errors import Unavailable
from lookalike.settings import Settings
from worker.context import WorkerContext
from worker.delivery.leases import Leases
from worker.errors import StoreUnavailable, Unfit
from worker.index.monitor import IndexMonitor
from worker.index.opener import IndexOpener
from worker.inference.embedder import Embedder
from worker.searching.search_priority import SearchPriority
from worker.serving import Follower, Serving, load_serving

# Searches are counted in memory for so long, then in one request: one after each of them cost half a millisecond of
# processor, which the next search missed (two cores, 2026-11-30).
COUNTED_EVERY_S = 1.0
# A scan that is wanted soon begins by then (producer/scanning/schedule.py).
FAILURE_SHOWN_S = 300.0


class ChildProcess:
    """One child of the pool: its model, loaded right after fork, and its connections, made when needed.

    `sleep` is how its tasks wait in place.
    """

    def __init__(self, settings: Settings, holder: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.sleep = sleep
        # After so many seconds without use the model is given up until it is needed again; never if None.
        self.rests_after_s: float | None = None
        self._settings = settings
        self._failed = False
        self._holder = holder
        self._search_begun_s = 0.0
        self._measured, self._measuring = Measurements(), threading.Lock()
        self._opened: tuple[Serving, IndexOpener] | None = None

    @cached_property
    def follower(self) -> Follower:
        """The generation of the index that this process works with."""
        load = partial(load_serving, self._settings, priority=self.search_priority, rests_after_s=self.rests_after_s)
        return Follower(self._redis, self._settings.keys, load, f"{self._holder}/{os.getpid()}")

    @property
    def embedder(self) -> Embedder:
        """The loaded model."""
        return self.follower.current.embedder

    @property
    def context(self) -> WorkerContext:
        """The logic of the tasks."""
        return self.follower.current.context

    def begin(self, job: str, images: Sequence[str] = (), *, comes_again: bool = False) -> Mapping[str, bytes]:
        """Marks the job as begun, and fetches its images, by key; those that are gone are left out.

        With `comes_again` another worker gets its message if this one dies, so its sender is not told of that.
        A job without a record is done, as is one without images while the broker does not answer. Raises Cancelled if
        its sender cancelled it before, Unreachable.
        """
        keys = self._settings.keys
        try:
            may_begin, (told, *blobs) = self.job_records.begin(
                job, [keys.served, *(keys.query(image) for image in images)], by="" if comes_again else self._holder
            )
        except (RedisError, OSError) as error:
            if images:
                raise Unreachable(f"The images of the query cannot be fetched: {error}. Search again.") from error
            return {}
        self.follower.follow(told)
        if not may_begin:
            raise Cancelled(CANCELLED)
        return {image: blob for image, blob in zip(images, blobs, strict=True) if blob is not None}

    @cached_property
    def job_records(self) -> JobRecords:
        """Where clients follow their jobs."""
        return JobRecords(redis_of(self._settings), self._settings.keys)

    def monitor_index(self) -> None:
        """Starts the checks of the index, in a thread."""
        IndexMonitor(self._current_opener).start()

    def _current_opener(self) -> IndexOpener | None:
        """That of the index of this process; None while another one is searched, which others check."""
        if not self.follower.is_current():
            return None
        serving = self.follower.current
        if self._opened is None or self._opened[0] is not serving:
            self._opened = serving, serving.opener()
        return self._opened[1]

    @cached_property
    def telemetry(self) -> Telemetry:
        """Where this process reports what it waits for."""
        return Telemetry(self._redis, self._settings.keys)

    def report_waiting(self, why: Unavailable | None, for_s: float) -> None:
        """Reports why this process waits, except for the library, which the producer reports."""
        if why is None or isinstance(why, StoreUnavailable | Unfit):
            with suppress(RedisError, OSError):
                self.telemetry.report_wait("" if why is None else str(why), for_s)

    def report_failure(self, why: Refused) -> None:
        """Reports a batch that is left to the next scan, and asks for that to be soon."""
        self._failed = True
        with suppress(RedisError, OSError):
            self.telemetry.report_wait(str(why), FAILURE_SHOWN_S)
            IndexState(self._redis, self._settings.keys).report_undone(str(why))

    def report_success(self) -> None:
        """Clears the failure that this process reported before."""
        if self._failed:
            self._failed = False
            self.report_waiting(None, 0.0)

    def begin_search(self) -> None:
        """Lets the search go first."""
        self._search_begun_s = time.perf_counter()
        self.search_priority.acquire()

    def end_search(self, *, answered: bool) -> None:
        """Ends its priority and counts it. Called once the answer is stored, so that no client waits for that."""
        self.search_priority.release()
        with self._measuring:
            is_first = not self._measured
            self._measured.count("searches", "answered" if answered else "failed")
            self._measured.observe(STAGE_SECONDS, time.perf_counter() - self._search_begun_s, "search")
        if is_first:
            timer = threading.Timer(COUNTED_EVERY_S, self._write_measured)
            timer.daemon = True
            timer.start()

    def _write_measured(self) -> None:
        with self._measuring:
            measured = self._measured.take()
        with suppress(RedisError, OSError):
            write_measured(self._redis, self._settings.keys, measured)

    @cached_property
    def _redis(self) -> Redis:
        return redis_of(self._settings)

    @cached_property
    def leases(self) -> Leases:
        """Where this worker asks whether it still holds a message."""
        settings = self._settings
        return Leases(redis_of(settings), settings.keys, self._holder, lease_s=settings.lease_s)

    @cached_property
    def search_priority(self) -> SearchPriority:
        """The signal to the ingest processes of this machine that a search runs."""
        return SearchPriority(self._settings.search_lock, longest_s=self._settings.search_yield_s)
