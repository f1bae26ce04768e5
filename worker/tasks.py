"""The tasks of ingest and search as Celery runs them: when they are acknowledged, and what is retried."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from celery import Celery, Task
from celery.exceptions import Reject, Retry
from celery.states import SUCCESS
from kombu.exceptions import OperationalError
from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from lookalike.errors import LookalikeError, Refused, Unreachable
from lookalike.library.errors import ReadFailed, Unavailable
from lookalike.log import get_logger
from lookalike.messages import (
    ImageByKey,
    ReadMessage,
    SearchManyMessage,
    SearchMessage,
    SearchQuery,
    SyncMessage,
    ThumbnailMessage,
    VerdictMessage,
    first_fault,
)
from lookalike.redis_keys import READ, SEARCH, SEARCH_MANY, SYNC, THUMBNAIL, VERDICT
from lookalike.settings import Settings
from worker.answers import Answer
from worker.child_process import ChildProcess
from worker.context import WorkerContext
from worker.delivery.leases import HeldMessage, TakenOver
from worker.errors import StoreRefused
from worker.index.identity import check_generation
from worker.retry_budget import RetryBudget, pause_s
from worker.syncing.sync_attempt import RetryLater, attempt_sync

log = get_logger(__name__)
Message = TypeVar("Message", bound=BaseModel)

# A task retries in place for so long, then goes back to the queue so that it is visible there.
IN_PLACE_S = 20.0
READ_RETRY_S = 5.0
# Share of a batch's time limit for pauses in place that the store asked for.
ASKED_SHARE = 0.4
GRACE_S = 5.0


def parse_message(kind: type[Message], message: Any) -> Message:
    """The validated message, which any program may have written. Raises Refused with the first fault and its field."""
    try:
        return kind.model_validate(message)
    except ValidationError as error:
        raise Refused(f"This is no {kind.__name__}: {first_fault(error)} (lookalike/messages/ has it).") from None


def define_tasks(app: Celery, settings: Settings, process: ChildProcess) -> None:
    """Adds the tasks to the app."""
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
    def sync(self: Task, message: Any) -> Answer:
        """Makes the index agree with the paths of a SyncMessage. Returns a SyncReply."""
        if not self.request.ignore_result:
            process.begin(self.request.id, comes_again=True)
        return _run_sync(self, settings, process, parse_message(SyncMessage, message))

    def search_budget(task: Task) -> RetryBudget:
        return RetryBudget(settings.search_timeout_s, report=_reporting(task, process), sleep=process.sleep)

    def before_start(_self: Task, *_args: Any) -> None:
        process.begin_search()

    def after_return(_self: Task, state: str, *_args: Any) -> None:
        process.end_search(answered=state == SUCCESS)

    # Both kinds, around the whole task, until its result is sent.
    searching = {
        "bind": True,
        "throws": (LookalikeError,),
        "time_limit": search_limit_s,
        "before_start": before_start,
        "after_return": after_return,
    }

    @app.task(name=SEARCH, **searching)
    def search(self: Task, message: Any) -> Answer:
        """Answers a SearchMessage with a SearchReply."""
        asked = parse_message(SearchMessage, message)
        images = process.begin(self.request.id, _keys([asked]))
        work = functools.partial(_run_search, message=asked, images=images)
        return _answer(lambda: process.context.with_index(work), search_budget(self))

    @app.task(name=SEARCH_MANY, **searching)
    def search_many(self: Task, message: Any) -> Answer:
        """Answers a SearchManyMessage with a SearchManyReply."""
        asked = parse_message(SearchManyMessage, message)
        images = process.begin(self.request.id, _keys(asked.queries))
        work = functools.partial(_run_search_many, message=asked, images=images)
        return _answer(lambda: process.context.with_index(work), search_budget(self))

    @app.task(name=READ, bind=True, throws=(LookalikeError,), time_limit=search_limit_s)
    def read(self: Task, message: Any) -> Answer:
        """Answers a ReadMessage with the reply to what it asks."""
        work = functools.partial(_run_read, message=parse_message(ReadMessage, message))
        process.follower.look()
        return _answer(lambda: process.context.with_index(work), search_budget(self))

    _define_thumbnail(app, process, search_limit_s, search_budget)

    @app.task(name=VERDICT, bind=True, throws=(LookalikeError,), time_limit=search_limit_s)
    def verdict(self: Task, message: Any) -> Answer:
        """Keeps the verdicts of a VerdictMessage. Returns a VerdictReply."""
        verdicts = parse_message(VerdictMessage, message).verdicts
        return _answer(
            lambda: process.context.with_index(lambda context: Answer(context.verdicts.record(verdicts))),
            search_budget(self),
        )


def _define_thumbnail(
    app: Celery, process: ChildProcess, limit_s: float, budget: Callable[[Task], RetryBudget]
) -> None:
    @app.task(name=THUMBNAIL, bind=True, throws=(LookalikeError,), time_limit=limit_s)
    def thumbnail(self: Task, message: Any) -> Answer:
        """Answers a ThumbnailMessage with a ThumbnailReply."""
        asked = parse_message(ThumbnailMessage, message)
        images = process.begin(self.request.id, _key_of(asked))
        work = functools.partial(_run_thumbnail, message=asked, images=images)
        return _answer(lambda: process.context.with_index(work), budget(self))


def _run_sync(task: Task, settings: Settings, process: ChildProcess, message: SyncMessage) -> Answer:
    budget = RetryBudget(
        IN_PLACE_S,
        asked_for_s=settings.task_time_limit_s * ASKED_SHARE,
        report=_reporting(task, process),
        sleep=process.sleep,
    )
    process.follower.look()
    held = HeldMessage(process.leases, str((task.request.properties or {}).get("delivery_tag")))
    try:
        reply = budget.retry_while_unavailable(
            lambda: attempt_sync(task, lambda: process.context, message, budget, held)
        )
    except TakenOver as error:
        # Nothing to requeue: the worker that took it over does the work.
        log.warning("stopped", why="another worker took it over")
        raise Reject(str(error), requeue=True) from None
    except Refused as error:
        process.report_failure(error)
        raise
    except ReadFailed as error:
        # Not in place: a few bad sectors would make every process wait.
        raise retry_task(task, error, READ_RETRY_S, process.sleep) from error
    except RetryLater as error:
        raise retry_task(task, error, settings.try_again_s * 2.0**task.request.retries, process.sleep) from error
    except Unavailable as error:
        pause = pause_s(task.request.retries + 1, error.retry_after_s)
        raise retry_task(task, error, pause, process.sleep) from error
    process.report_success()
    return Answer(reply)


def retry_task(task: Task, error: Exception, in_s: float, sleep: Callable[[float], None]) -> Exception:
    """The exception that makes Celery retry: it has sent a copy of the message with a countdown of so many seconds."""

    def send_copy() -> Exception:
        try:
            task.retry(exc=error, countdown=in_s)
        except Reject as reject:
            # Celery would drop the message, because its copy could not be sent, for example to a full broker.
            raise Unavailable(f"the broker takes nothing ({reject.reason})") from reject
        except Retry as retry:
            sent: Exception = retry
            return sent
        raise AssertionError("a retry always raises")

    try:
        return RetryBudget(IN_PLACE_S, sleep=sleep).retry_while_unavailable(send_copy)
    except Unavailable as full:
        back: Exception = Reject(full, requeue=True)
        return back


def _reporting(task: Task, process: ChildProcess) -> Callable[[Unavailable | None, float], None]:
    """Reports what a task waits for; in Flower its state is WAITING meanwhile, with the sentence as its result."""

    def report(why: Unavailable | None, for_s: float) -> None:
        process.report_waiting(why, for_s)
        if why is not None:
            with suppress(OperationalError, RedisError, OSError):
                task.send_event("task-waiting", retry=False, result=f"{why}; the next try in {for_s:.2g} s")

    return report


def _keys(queries: Sequence[SearchQuery]) -> list[str]:
    """The keys of all images that were sent for these queries."""
    images = [example.image for query in queries for example in query.examples]
    return [image.key for image in images if isinstance(image, ImageByKey)]


def _key_of(message: ThumbnailMessage) -> list[str]:
    """The key of the image that was sent for it, if one was."""
    return [message.image.key] if isinstance(message.image, ImageByKey) else []


def _run_search(context: WorkerContext, message: SearchMessage, images: Mapping[str, bytes]) -> Answer:
    check_generation(message.generation, context.collection.identity)
    return Answer(context.search(images).find_neighbours(message))


def _run_search_many(context: WorkerContext, message: SearchManyMessage, images: Mapping[str, bytes]) -> Answer:
    check_generation(message.generation, context.collection.identity)
    return Answer(context.search(images).find_many(message))


def _run_read(context: WorkerContext, message: ReadMessage) -> Answer:
    return Answer(context.read_queries.answer(message))


def _run_thumbnail(context: WorkerContext, message: ThumbnailMessage, images: Mapping[str, bytes]) -> Answer:
    return Answer(context.thumbnails.make(message, images))


def _answer(work: Callable[[], Answer], budget: RetryBudget) -> Answer:
    try:
        return budget.retry_while_unavailable(work)
    except Unavailable as error:
        raise Unreachable(f"The index cannot be asked: {error}. Check QDRANT_URL and `lookalike status`.") from error
    except LookalikeError:
        raise
    except StoreRefused as error:
        raise Refused(f"The index cannot be asked that: {error}.") from error
    except Exception as error:
        # Translated: Celery ends the whole worker on a MemoryError, and cannot carry every error to a client.
        log.exception("failed")
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise Refused(f"The worker failed with {why}. `lookalike logs search` has the rest.") from error
