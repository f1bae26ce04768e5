"""The three tasks as Celery runs them: what is acknowledged when, and what is tried again."""

import functools
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject, Retry
from redis.exceptions import RedisError

from lookalike.broker import redis_of
from lookalike.errors import LookalikeError, Refused, Unreachable
from lookalike.log import fields
from lookalike.messages import ReadMessage, SearchMessage, SyncMessage
from lookalike.redis_keys import READ, SEARCH, SYNC
from lookalike.settings import Settings
from lookalike.telemetry import Telemetry
from worker.context import WorkerContext, load_embedder, opener_of
from worker.embedder import Embedder
from worker.errors import ReadFailed, StoreRefused, StoreUnavailable, Unavailable, Unfit
from worker.index_monitor import IndexMonitor
from worker.leases import Held, Leases, TakenOver
from worker.messages import parsed
from worker.provider_selection import backend_of
from worker.retry import RetryBudget, backoff_s
from worker.search_priority import SearchPriority
from worker.sync_attempt import RetryLater, run

log = logging.getLogger(__name__)

# A task waits in place this long for what is away, then goes back to the queue so that it is visible there.
IN_PLACE_S = 20.0
READ_AGAIN_S = 5.0
# A store that names the time is waited for in place, for so much of what a batch may take.
ASKED_SHARE = 0.4
GRACE_S = 5.0


class ChildProcess:
    """One child of the pool: its model, loaded right after fork, and its connections, made when needed."""

    def __init__(self, settings: Settings, holder: str) -> None:
        self._settings = settings
        self._failed = False
        self._holder = holder

    @cached_property
    def embedder(self) -> Embedder:
        """The loaded model."""
        return load_embedder(self._settings, backend_of(self._settings))

    @cached_property
    def context(self) -> WorkerContext:
        """The tasks' logic."""
        return WorkerContext(self._settings, self.embedder, self.search_priority)

    def monitor_index(self) -> None:
        """Begins to look after the index while there is nothing else to do."""
        IndexMonitor(opener_of(self._settings, self.embedder)).start()

    @cached_property
    def telemetry(self) -> Telemetry:
        """Where people see what this process waits for."""
        return Telemetry(redis_of(self._settings), self._settings.keys)

    def tell(self, why: Unavailable | None, for_s: float) -> None:
        """Tells the board why this process waits, if nobody else does: the producer tells of the library."""
        if why is None or isinstance(why, StoreUnavailable | Unfit):
            with suppress(RedisError, OSError):
                self.telemetry.report_wait("" if why is None else str(why), for_s)

    def tell_failure(self, why: Refused) -> None:
        """Tells the board of a batch that is left to the next scan, until then."""
        self._failed = True
        with suppress(RedisError, OSError):
            self.telemetry.report_wait(str(why), self._settings.rescan_s)

    def tell_success(self) -> None:
        """What failed before does not fail any more, as far as this process knows."""
        if self._failed:
            self._failed = False
            self.tell(None, 0.0)

    @cached_property
    def leases(self) -> Leases:
        """What tells whether this worker still holds a message."""
        settings = self._settings
        return Leases(redis_of(settings), settings.keys, self._holder, lease_s=settings.lease_s)

    @cached_property
    def search_priority(self) -> SearchPriority:
        """What tells ingest processes of this machine that a search is under way."""
        return SearchPriority(self._settings.search_lock, longest_s=self._settings.search_yield_s)


def define(app: Celery, settings: Settings, process: ChildProcess) -> None:
    """Adds the three tasks to the app."""
    # Waiting for the store takes search_timeout_s at most, and opening the query decode_timeout_s.
    search_limit_s = settings.search_timeout_s + settings.decode_timeout_s + GRACE_S

    @app.task(
        name=SYNC,
        bind=True,
        acks_late=True,
        acks_on_timeout=False,
        reject_on_worker_lost=True,
        max_retries=None,
        time_limit=settings.task_time_limit_s,
        throws=(LookalikeError,),
    )
    def sync(self: Task, message: Any) -> dict[str, Any]:
        """Makes the index agree with the paths of a SyncMessage. Returns a SyncReply."""
        return _synced(self, settings, process, parsed(SyncMessage, message))

    def patience() -> RetryBudget:
        return RetryBudget(settings.search_timeout_s, tell=process.tell)

    def before_start(_self: Task, *_args: Any) -> None:
        process.search_priority.acquire()

    def after_return(_self: Task, *_args: Any) -> None:
        process.search_priority.release()

    @app.task(
        name=SEARCH,
        throws=(LookalikeError,),
        time_limit=search_limit_s,
        # Around all of it: until its answer is on its way.
        before_start=before_start,
        after_return=after_return,
    )
    def search(message: Any) -> dict[str, Any]:
        """Answers a SearchMessage with a SearchReply."""
        asked = parsed(SearchMessage, message)
        work = functools.partial(_searched, asked=asked)
        return _answered(lambda: process.context.at_work(work), patience())

    @app.task(name=READ, throws=(LookalikeError,), time_limit=search_limit_s)
    def read(message: Any) -> dict[str, Any]:
        """Answers a ReadMessage with a CountsReply or FilesReply."""
        asked = parsed(ReadMessage, message)
        work = functools.partial(_read, asked=asked)
        return _answered(lambda: process.context.at_work(work), patience())


def _synced(task: Task, settings: Settings, process: ChildProcess, asked: SyncMessage) -> dict[str, Any]:
    patience = RetryBudget(IN_PLACE_S, asked_for_s=settings.task_time_limit_s * ASKED_SHARE, tell=process.tell)
    held = Held(process.leases, str((task.request.properties or {}).get("delivery_tag")))
    try:
        reply = patience.retry_while_unavailable(lambda: run(task, lambda: process.context, asked, patience, held))
    except TakenOver as error:
        # Nothing to put back; whoever took it over does it.
        log.warning(fields("stopped", task=task.request.id, why="another worker took it over"))
        raise Reject(str(error), requeue=True) from None
    except Refused as error:
        process.tell_failure(error)
        raise
    except ReadFailed as error:
        # Not in place: a few bad sectors would keep every process waiting.
        raise _again(task, error, READ_AGAIN_S) from error
    except RetryLater as error:
        raise _again(task, error, settings.try_again_s * 2.0**task.request.retries) from error
    except Unavailable as error:
        raise _again(task, error, backoff_s(task.request.retries + 1, error.retry_after_s)) from error
    process.tell_success()
    return reply.model_dump()


def _again(task: Task, error: Exception, in_s: float) -> Exception:
    """What makes Celery run the task again: a copy of the message that may be taken in so many seconds."""

    def copied() -> Exception:
        try:
            task.retry(exc=error, countdown=in_s)
        except Reject as reject:
            # Celery would drop the message, because its copy could not be sent: a broker that is full, say.
            raise Unavailable(f"the broker takes nothing ({reject.reason})") from reject
        except Retry as retry:
            sent: Exception = retry
            return sent
        raise AssertionError("a retry always raises")

    try:
        return RetryBudget(IN_PLACE_S).retry_while_unavailable(copied)
    except Unavailable as full:
        back: Exception = Reject(full, requeue=True)
        return back


def _searched(context: WorkerContext, asked: SearchMessage) -> dict[str, Any]:
    return context.search.run(asked).model_dump()


def _read(context: WorkerContext, asked: ReadMessage) -> dict[str, Any]:
    return context.read_queries.run(asked).model_dump()


def _answered(work: Callable[[], dict[str, Any]], patience: RetryBudget) -> dict[str, Any]:
    try:
        return patience.retry_while_unavailable(work)
    except Unavailable as error:
        raise Unreachable(f"The index cannot be asked: {error}. Check QDRANT_URL and `lookalike status`.") from error
    except LookalikeError:
        raise
    except StoreRefused as error:
        raise Refused(f"The index cannot be asked that: {error}.") from error
    except Exception as error:
        # Not as it came: Celery ends the whole worker over a MemoryError, and cannot carry every error to a client.
        log.exception("failed")
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise Refused(f"The worker failed with {why}. `lookalike logs search` has the rest.") from error
