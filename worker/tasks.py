"""The three tasks as Celery runs them: what is acknowledged when, what is tried again, who is blamed."""

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject
from redis.exceptions import RedisError

from lookalike.broker import redis_of
from lookalike.errors import LookalikeError, Unreachable
from lookalike.log import fields
from lookalike.messages import ReadMessage, SearchMessage, SyncMessage, SyncReply
from lookalike.names import READ, SEARCH, SYNC
from lookalike.settings import Settings
from worker.choosing import backend_of
from worker.danger import DEATHS_TO_BLAME
from worker.embed import Embedder
from worker.equipment import Equipment, load_embedder
from worker.errors import Away, Rejected, Unread
from worker.leases import Held, Leases, TakenOver
from worker.messages import parsed
from worker.patience import pause_s, wait_out
from worker.right_of_way import RightOfWay

log = logging.getLogger(__name__)

# A task waits in place this long for what is away, then goes back to the queue so that it is visible there.
IN_PLACE_S = 20.0
# A share that hiccups is back within these seconds; a bad sector is not.
READS_AGAIN, READ_AGAIN_S = 3, 5.0
GRACE_S = 5.0


class Process:
    """One child of the pool: its model, loaded right after fork, and its connections, made when needed."""

    def __init__(self, settings: Settings, holder: str) -> None:
        self._settings = settings
        self._holder = holder

    @cached_property
    def embedder(self) -> Embedder:
        """The loaded model."""
        return load_embedder(self._settings, backend_of(self._settings))

    @cached_property
    def equipment(self) -> Equipment:
        """The tasks' logic. Raises Away while the store does not answer, and is tried again then."""
        return Equipment(self._settings, self.embedder, self.right_of_way)

    @cached_property
    def leases(self) -> Leases:
        """What tells whether this worker still holds a message."""
        settings = self._settings
        return Leases(redis_of(settings), settings.names, self._holder, lease_s=settings.lease_s)

    @cached_property
    def right_of_way(self) -> RightOfWay:
        """What tells ingest processes of this machine that a search is under way."""
        return RightOfWay(self._settings.search_lock, longest_s=self._settings.give_way_s)


def define(app: Celery, settings: Settings, process: Process) -> None:
    """Adds the three tasks to the app."""
    # Waiting for the store takes search_s at most, and opening the query decode_s.
    search_limit_s = settings.search_s + settings.decode_s + GRACE_S

    @app.task(
        name=SYNC,
        bind=True,
        acks_late=True,
        acks_on_timeout=False,
        reject_on_worker_lost=True,
        max_retries=None,
        time_limit=settings.batch_limit_s,
        throws=(LookalikeError,),
    )
    def sync(self: Task, message: Any) -> dict[str, Any]:
        """Makes the index agree with the paths of a SyncMessage. Returns a SyncReply."""
        asked = parsed(SyncMessage, message)
        tag = str((self.request.properties or {}).get("delivery_tag"))
        held = Held(process.leases, tag)
        try:
            return wait_out(lambda: _sync(self, process.equipment, asked, held), for_s=IN_PLACE_S).model_dump()
        except TakenOver as error:
            # Nothing to put back; whoever took it over does it.
            log.warning(fields("stopped", task=self.request.id, why="another worker took it over"))
            raise Reject(str(error), requeue=True) from None
        except Unread as error:
            # Not in place: a few bad sectors would keep every process waiting.
            raise self.retry(exc=error, countdown=READ_AGAIN_S) from error
        except Away as error:
            raise self.retry(exc=error, countdown=pause_s(self.request.retries + 1)) from error

    def before_start(_self: Task, *_args: Any) -> None:
        process.right_of_way.take()

    def after_return(_self: Task, *_args: Any) -> None:
        process.right_of_way.leave()

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
        return _answered(lambda: process.equipment.search.run(asked).model_dump(), settings.search_s)

    @app.task(name=READ, throws=(LookalikeError,), time_limit=search_limit_s)
    def read(message: Any) -> dict[str, Any]:
        """Answers a ReadMessage with a CountsReply or FilesReply."""
        asked = parsed(ReadMessage, message)
        return _answered(lambda: process.equipment.reads.run(asked).model_dump(), settings.search_s)


def _sync(task: Task, equipment: Equipment, asked: SyncMessage, held: Held) -> SyncReply:
    """Runs the sync. Raises Away if store, library or broker are, and Unread if the disk fails over some files."""
    try:
        return _singled_out(task, equipment, asked, held)
    except RedisError as error:
        # The marks and counts are kept there; an image is not to blame for that.
        raise Away(f"the broker does not answer ({error})") from error


def _singled_out(task: Task, equipment: Equipment, asked: SyncMessage, held: Held) -> SyncReply:
    """A path that kills or breaks the sync is singled out, so that the others are done."""
    task_id = str(task.request.id)
    alone = len(asked.paths) + len(asked.gone) == 1
    # Then whoever held it before is dead, or was frozen for the time of a lease and stops when it finds out.
    was_taken_over = held.insist()
    marks = equipment.danger.marks(task_id, alone=alone and not was_taken_over)
    if marks.living and not was_taken_over:
        # Redis delivered it once more; what the other process does not finish is left to this one.
        raise Away("another process is at work on it")
    if marks.dead and not alone:
        reply = _split(task, asked, "a process died over it")
        equipment.danger.forget(task_id)
        return reply
    if marks.dead >= DEATHS_TO_BLAME:
        log.error(fields("blamed", path=[*asked.paths, *asked.gone][0], deaths=marks.dead))
        reason = Rejected("the worker's process died or hung twice while opening it")
        reply = equipment.sync.reject(dict.fromkeys(asked.paths, reason))
        equipment.danger.forget(task_id)
        return reply
    try:
        danger = functools.partial(_endangered, equipment, task_id)
        sync = equipment.sync
        reply = dataclasses.replace(sync, danger=danger, give_way=lambda: held.before(sync.give_way)).run(asked)
    except Unread as error:
        if task.request.retries < READS_AGAIN:
            raise
        # Every scan tries it again; until then its reason is where people look for one.
        return equipment.sync.reject({path: Rejected(why, may_pass=True) for path, why in error.reasons.items()})
    except (Away, TakenOver, LookalikeError, RedisError):
        raise
    except Exception as error:
        # A fault of ours: the rest of the batch must not be lost with it, nor the fault hidden.
        log.exception(fields("failed", task=task_id, paths=len(asked.paths)))
        if alone:
            reason = Rejected(f"lookalike failed over it ({type(error).__name__}: {error})")
            return equipment.sync.reject(dict.fromkeys(asked.paths, reason))
        return _split(task, asked, type(error).__name__)
    equipment.danger.forget(task_id)
    return reply


@contextmanager
def _endangered(equipment: Equipment, task_id: str) -> Iterator[None]:
    with equipment.danger.entered(task_id), equipment.watchdog.watching():
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


def _answered(work: Callable[[], dict[str, Any]], patience_s: float) -> dict[str, Any]:
    try:
        return wait_out(work, for_s=patience_s)
    except Away as error:
        raise Unreachable(f"The index cannot be asked: {error}. Check QDRANT_URL and `lookalike status`.") from error
