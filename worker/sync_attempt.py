"""One run of a sync task: what is away waits, a path that breaks or kills it is singled out, no path is lost.

the store, the broker, the library or this worker cannot now    Away: the task waits and runs again, without end
the disk fails over some files                                  Unread: tried again, then rejected until a scan
the store refuses it, or we are at fault                        tried again with longer and longer pauses, each path
                                                                alone; then rejected until a scan
it cannot even be rejected                                      Refused: told, and the index does not know the path,
                                                                so the next scan finds it
"""

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import Task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lookalike.errors import LookalikeError, Refused
from lookalike.log import fields
from lookalike.messages import SyncMessage, SyncReply
from lookalike.redis_keys import SYNC
from worker.context import WorkerContext
from worker.delivery.leases import HeldMessage, TakenOver
from worker.delivery.poison import DEATHS_TO_BLAME
from worker.errors import CollectionMissing, ReadFailed, Rejected, StoreRefused, Unavailable, Unfit
from worker.retry import R, RetryBudget, Waits

log = logging.getLogger(__name__)

# A share that hiccups is back within so many tries; a bad sector is not.
READS_AGAIN = 3
# Of what may be nobody's fault: a store that is being upgraded, a lack of memory. Each pause is twice the last one.
TRIES_AGAIN = 3


class RetryLater(Exception):
    """The task shall run again, as one of a few tries, for a reason that is nobody's fault that we know of."""


def run(
    task: Task, context: Callable[[], WorkerContext], asked: SyncMessage, patience: RetryBudget, held: HeldMessage
) -> SyncReply:
    """Runs the sync. Raises Away, Unread or TryAgain if it shall run again, Refused or TakenOver if it shall not."""
    try:
        made = _made(context)
        return made.at_work(lambda ready: _told_apart(task, ready, asked, patience, held), writes=True)
    except (RedisError, OperationalError) as error:
        # The marks and counts are kept there; an image is not to blame for that.
        raise Unavailable(f"the broker does not answer ({error})") from error
    except (Unavailable, ReadFailed, RetryLater, TakenOver, LookalikeError):
        raise
    except Exception as error:
        # Not as it came: Celery ends the whole worker over a MemoryError, and cannot carry every error to a client.
        _log("failed", task, asked, error)
        if task.request.retries < TRIES_AGAIN:
            raise RetryLater(_why(error)) from error
        raise Refused(f"{_why(error)}. The next scan tries it again; `lookalike logs ingest` has the rest.") from error


def _made(context: Callable[[], WorkerContext]) -> WorkerContext:
    """The equipment. Whatever keeps this worker from having one is no fault of the paths, so they wait."""
    try:
        made = context()
        made.open(writes=True)
        # Made when it is first used, and this worker may lack a setting for it.
        _ = made.sync
    except (Unavailable, RedisError):
        raise
    except Exception as error:
        if not isinstance(error, LookalikeError | StoreRefused):
            log.exception("unfit")
        raise Unfit(f"this worker cannot work ({_name(error)})") from error
    return made


def _told_apart(
    task: Task, context: WorkerContext, asked: SyncMessage, patience: RetryBudget, held: HeldMessage
) -> SyncReply:
    """A path that kills or breaks the sync is singled out, so that the others are done."""
    task_id = str(task.request.id)
    alone = len(asked.paths) + len(asked.gone) == 1
    # Then whoever held it before is dead, or was frozen for the time of a lease and stops when it finds out.
    was_taken_over = held.check()
    marks = context.poison.crash_marks(task_id, alone=alone and not was_taken_over)
    if marks.living and not was_taken_over:
        # Redis delivered it once more; what the other process does not finish is left to this one.
        raise Unavailable("another process is at work on it")
    if marks.dead and not alone:
        reply = _split(task, asked, "a process died over it")
        context.poison.clear(task_id)
        return reply
    sync = dataclasses.replace(
        context.sync,
        poison=functools.partial(_guarded_against_poison, context, task_id),
        retry_while_unavailable=_in_place(patience),
        give_way=lambda: held.check_after(context.sync.give_way),
    )
    if marks.dead >= DEATHS_TO_BLAME:
        log.error(fields("blamed", path=[*asked.paths, *asked.gone][0], deaths=marks.dead))
        reason = Rejected("the worker's process died or hung twice while opening it")
        reply = sync.reject(dict.fromkeys(asked.paths, reason))
        context.poison.clear(task_id)
        return reply
    try:
        reply = sync.run(asked)
    except ReadFailed as error:
        if task.request.retries < READS_AGAIN:
            raise
        # Every scan tries it again; until then its reason is where people look for one.
        return sync.reject({path: Rejected(why, may_pass=True) for path, why in error.reasons.items()})
    except (Unavailable, TakenOver, LookalikeError, RedisError, OperationalError):
        raise
    except Exception as error:
        if not alone and not isinstance(error, StoreRefused):
            # A fault of ours: the rest of the batch must not be lost with it, nor the fault hidden.
            _log("failed", task, asked, error)
            return _split(task, asked, type(error).__name__)
        if task.request.retries < TRIES_AGAIN:
            raise
        _log("given up", task, asked, error)
        return sync.reject(dict.fromkeys(asked.paths, Rejected(_why(error), may_pass=True)))
    context.poison.clear(task_id)
    return reply


def _in_place(patience: RetryBudget) -> Waits:
    """Waits within a try, but not for a collection that is missing: only another try opens the index again."""

    def retry_while_unavailable(work: Callable[[], R]) -> R:
        return patience.retry_while_unavailable(work, unless=CollectionMissing)

    return retry_while_unavailable


@contextmanager
def _guarded_against_poison(context: WorkerContext, task_id: str) -> Iterator[None]:
    with context.poison.guard(task_id), context.watchdog.watching():
        yield


def _split(task: Task, asked: SyncMessage, why: str) -> SyncReply:
    """Sends each path by itself to the queue that the message came from. Their jobs do the work."""
    log.warning(fields("split", task=task.request.id, paths=len(asked.paths), why=why))
    queue = (task.request.delivery_info or {}).get("routing_key")
    parts = [asked.model_copy(update={"paths": [path], "gone": []}) for path in asked.paths]
    parts += [asked.model_copy(update={"paths": [], "gone": [path]}) for path in asked.gone]
    for part in parts:
        task.app.send_task(SYNC, args=[part.model_dump(mode="json")], queue=queue, ignore_result=True)
    return SyncReply()


def _log(event: str, task: Task, asked: SyncMessage, error: Exception) -> None:
    """With the way to where it happened if we are at fault; what a store says is one sentence."""
    line = fields(event, task=task.request.id, paths=len(asked.paths), why=_name(error))
    log.error(line, exc_info=None if isinstance(error, StoreRefused) else error)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, StoreRefused) else f"lookalike failed over it ({_name(error)})"


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
