"""Joins the parts into the program `celery -A worker worker`: app, tasks, and what happens at start and fork."""

import logging
import os
import signal
import sys
from functools import cached_property
from typing import Any

from celery import Task
from celery.signals import heartbeat_sent, worker_init, worker_process_init
from redis.exceptions import RedisError

from lookalike.board import Board
from lookalike.broker import celery_app, redis_of
from lookalike.errors import LookalikeError, Unreachable
from lookalike.local.guarded import die_with_parent
from lookalike.messages import ReadMessage, SearchMessage, SyncMessage
from lookalike.names import READ, SEARCH, SYNC
from lookalike.settings import read_settings
from worker.embed import Embedder, card_at, model_path
from worker.equipment import Equipment, equip, library_root, load_embedder
from worker.errors import Away
from worker.messages import parsed
from worker.patience import pause_s, wait_out
from worker.slots import register, restore, transport_options

log = logging.getLogger(__name__)

# A task waits in place this long for what is away, then goes back to the queue so that it is visible there.
IN_PLACE_S = 20.0
SOFT_SHUTDOWN_S = 3.0

settings = read_settings()
slot = os.environ.get("LOOKALIKE_SLOT") or None
app = celery_app(settings, name="worker")
app.conf.update(
    broker_transport_options={
        **app.conf.broker_transport_options,
        **transport_options(settings.names, slot, visibility_timeout_s=2 * settings.batch_limit_s),
    },
    broker_connection_max_retries=None,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=SOFT_SHUTDOWN_S,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=True,
    worker_redirect_stdouts=False,
    worker_log_format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    worker_task_log_format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    task_send_sent_event=True,
    worker_send_task_events=True,
)


class Process:
    """One child of the pool: its model, loaded right after fork, and its connections, made when needed."""

    @cached_property
    def embedder(self) -> Embedder:
        """The loaded model."""
        return load_embedder(settings)

    @cached_property
    def equipment(self) -> Equipment:
        """The tasks' logic. Raises Away while the store does not answer, and is tried again then."""
        return equip(settings, self.embedder)


process = Process()


@app.task(
    name=SYNC,
    bind=True,
    acks_late=True,
    acks_on_timeout=False,
    reject_on_worker_lost=True,
    max_retries=None,
    time_limit=settings.batch_limit_s,
)
def sync(self: Task, message: Any) -> dict[str, Any]:
    """Makes the index agree with the paths of a SyncMessage. Returns a SyncReply."""
    asked = parsed(SyncMessage, message)
    try:
        return wait_out(lambda: process.equipment.sync.run(asked), for_s=IN_PLACE_S).model_dump()
    except Away as error:
        raise self.retry(exc=error, countdown=pause_s(self.request.retries + 1)) from error


@app.task(name=SEARCH, throws=(LookalikeError,), time_limit=settings.batch_limit_s)
def search(message: Any) -> dict[str, Any]:
    """Answers a SearchMessage with a SearchReply."""
    asked = parsed(SearchMessage, message)
    return _answer(lambda: process.equipment.search.run(asked).model_dump())


@app.task(name=READ, throws=(LookalikeError,), time_limit=settings.batch_limit_s)
def read(message: Any) -> dict[str, Any]:
    """Answers a ReadMessage with a CountsReply or FilesReply."""
    asked = parsed(ReadMessage, message)
    return _answer(lambda: process.equipment.reads.run(asked).model_dump())


def _answer(work: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = wait_out(work, for_s=settings.search_s)
    except Away as error:
        raise Unreachable(f"The index cannot be asked: {error}. Check QDRANT_URL and `lookalike status`.") from error
    return answer


@worker_init.connect
def start(**_: Any) -> None:
    """Before the pool: refuses what cannot work, and takes back what this slot held when it died."""
    try:
        library_root(settings)
        card_at(model_path(settings.model))
    except LookalikeError as error:
        # Celery's signals swallow exceptions, and a pool that cannot load its model would restart for ever.
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    redis = redis_of(settings)

    def take_back() -> None:
        try:
            register(redis, settings.names, slot)
            if slot is not None:
                restore(app, redis, settings.names, slot)
        except (RedisError, OSError) as error:
            raise Away(f"the broker does not answer ({error})") from error

    wait_out(take_back, for_s=float("inf"))


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """After fork: loads the model, so that the first task is as quick as the rest."""
    die_with_parent(signal.SIGKILL)
    process.embedder.warm_up()


@heartbeat_sent.connect
def beat(sender: Any, **_: Any) -> None:
    """Tells the board that this worker is alive; its part is the name before the `@`."""
    hostname = sender.eventer.hostname
    try:
        Board(_redis(), settings.names).beat(hostname.partition("@")[0], hostname)
    except RedisError as error:
        log.warning("no heartbeat: %s", error)


_connection: list[Any] = []


def _redis() -> Any:
    if not _connection:
        _connection.append(redis_of(settings))
    return _connection[0]
