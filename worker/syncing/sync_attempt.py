"""One attempt of a sync task: it waits for what is unavailable, isolates a path that breaks it, and loses no path.

store, broker, library or worker cannot serve now    Unavailable: the task is retried without end
the disk cannot read some files                      ReadFailed: retried, then rejected until a scan
the store refuses, or lookalike has a bug            retried with growing pauses, each path alone; then rejected until
                                                     a scan
the rejection cannot be written either               Refused: reported, and the index does not have the path, so the
                                                     next scan finds it
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import Task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lookalike.client.shown import shown
from lookalike.errors import LookalikeError, Refused
from lookalike.library.errors import ReadFailed, Rejected, Unavailable
from lookalike.log import get_logger
from lookalike.messages import SyncMessage, SyncReply
from lookalike.redis_keys import SYNC
from worker.context import WorkerContext
from worker.delivery.leases import HeldMessage, TakenOver
from worker.delivery.poison import DEATHS_TO_BLAME
from worker.errors import CollectionMissing, StoreRefused, Unfit
from worker.index.identity import check_generation
from worker.retry_budget import R, RetryBudget, Retrying

log = get_logger(__name__)

# Enough for a network share that fails for a moment; a bad sector fails each time.
READ_RETRIES = 3
# For faults that may pass: a store that is being upgraded, a lack of memory. Each pause is twice the last one.
FAILURE_RETRIES = 3


class RetryLater(Exception):
    """The task is to be retried a few times: the cause may pass."""


def attempt_sync(
    task: Task, context: Callable[[], WorkerContext], message: SyncMessage, budget: RetryBudget, held: HeldMessage
) -> SyncReply:
    """Runs the sync. Raises Unavailable, ReadFailed or RetryLater for a retry, Refused or TakenOver for none."""
    try:
        ready = _ready_context(context)
        return ready.with_index(lambda ready: _isolate_failures(task, ready, message, budget, held), writes=True)
    except (RedisError, OperationalError) as error:
        # The crash marks and counts are at the broker; the images are not at fault.
        raise Unavailable(f"the broker does not answer ({error})") from error
    except (Unavailable, ReadFailed, RetryLater, TakenOver, LookalikeError):
        raise
    except Exception as error:
        # Translated: Celery ends the whole worker on a MemoryError, and cannot carry every error to a client.
        _log("failed", message, error)
        if task.request.retries < FAILURE_RETRIES:
            raise RetryLater(_why(error)) from error
        raise Refused(f"{_why(error)}. The next scan tries it again; `lookalike logs ingest` has the rest.") from error


def _ready_context(context: Callable[[], WorkerContext]) -> WorkerContext:
    """The context with an open index. If it cannot be had, the paths are not at fault, so they wait."""
    try:
        ready = context()
        ready.open(writes=True)
        # Built on first use, and this worker may lack a setting for it.
        _ = ready.sync
    except (Unavailable, RedisError):
        raise
    except Exception as error:
        if not isinstance(error, LookalikeError | StoreRefused):
            log.exception("unfit")
        raise Unfit(f"this worker cannot work ({_name(error)})") from error
    return ready


def _isolate_failures(
    task: Task, context: WorkerContext, message: SyncMessage, budget: RetryBudget, held: HeldMessage
) -> SyncReply:
    """Isolates a path that kills or breaks the sync, so that the others are done."""
    check_generation(message.generation, context.collection.identity)
    task_id = str(task.request.id)
    alone = len(message.paths) + len(message.gone) == 1
    # Then the earlier holder is dead, or was frozen for the time of a lease and stops when it finds out.
    was_taken_over = held.check()
    marks = context.poison.crash_marks(task_id, alone=alone and not was_taken_over)
    if marks.living and not was_taken_over:
        # Redis delivered the message twice; this process does what the other one does not finish.
        raise Unavailable("another process is at work on it")
    if marks.dead and not alone:
        reply = _split(task, message, "a process died over it")
        context.poison.clear(task_id)
        return reply
    sync = dataclasses.replace(
        context.sync,
        guard_poison=functools.partial(_guarded_against_poison, context, task_id),
        retry_while_unavailable=_retry_in_place(budget),
        yield_to_search=lambda: held.check_after(context.sync.yield_to_search),
    )
    if marks.dead >= DEATHS_TO_BLAME:
        log.error("blamed", path=[*message.paths, *message.gone][0], deaths=marks.dead)
        reason = Rejected("the worker's process died or hung twice while opening it", is_poison=True)
        reply = sync.reject_paths(dict.fromkeys(message.paths, reason))
        context.poison.clear(task_id)
        return reply
    try:
        reply = sync.sync_paths(message)
    except ReadFailed as error:
        if task.request.retries < READ_RETRIES:
            raise
        # Every scan retries them; until then the index shows the reason.
        return sync.reject_paths({path: Rejected(why, may_pass=True) for path, why in error.reasons.items()})
    except (Unavailable, TakenOver, LookalikeError, RedisError, OperationalError):
        raise
    except Exception as error:
        if not alone and not isinstance(error, StoreRefused):
            # A bug of ours: the rest of the batch must not be lost with it, nor the bug hidden.
            _log("failed", message, error)
            return _split(task, message, type(error).__name__)
        if task.request.retries < FAILURE_RETRIES:
            raise
        _log("given up", message, error)
        return sync.reject_paths(dict.fromkeys(message.paths, Rejected(_why(error), may_pass=True)))
    context.poison.clear(task_id)
    return reply


def _retry_in_place(budget: RetryBudget) -> Retrying:
    """Retries within the attempt, except on a missing collection: only a new attempt opens the index again."""

    def retry_while_unavailable(work: Callable[[], R]) -> R:
        return budget.retry_while_unavailable(work, unless=CollectionMissing)

    return retry_while_unavailable


@contextmanager
def _guarded_against_poison(context: WorkerContext, task_id: str) -> Iterator[None]:
    with context.poison.guard(task_id), context.decode_timeout.armed():
        yield


def _split(task: Task, message: SyncMessage, why: str) -> SyncReply:
    """Sends each path as a message of its own to the queue of this one. Those tasks do the work."""
    log.warning("split", paths=len(message.paths), why=why)
    queue = (task.request.delivery_info or {}).get("routing_key")
    empty = message.model_copy(update={"paths": [], "gone": [], "left_out": []})
    parts = [empty.model_copy(update={"paths": [path]}) for path in message.paths]
    parts += [empty.model_copy(update={"gone": [path]}) for path in message.gone]
    parts += [empty.model_copy(update={"left_out": message.left_out})] if message.left_out else []
    for part in parts:
        task.app.send_task(
            SYNC,
            args=[part.model_dump(mode="json")],
            argsrepr=shown(part, str(queue).partition(":")[0]),
            queue=queue,
            ignore_result=True,
        )
    return SyncReply(split=len(parts))


def _log(event: str, message: SyncMessage, error: Exception) -> None:
    """Logs the error, with a traceback unless the store refused: its answer is one sentence."""
    trace = None if isinstance(error, StoreRefused) else error
    log.error(event, paths=len(message.paths), why=_name(error), exc_info=trace)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, StoreRefused) else f"lookalike failed over it ({_name(error)})"


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
