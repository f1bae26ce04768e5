"""Joins the parts into the program `celery -A worker worker`: app, tasks, and what happens at start and fork."""

import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from celery.signals import heartbeat_sent, worker_init, worker_process_init
from redis.exceptions import RedisError

from lookalike.board import Board
from lookalike.broker import celery_app, redis_of
from lookalike.errors import LookalikeError
from lookalike.local.guarded import die_with_parent
from lookalike.log import FORMAT, fields, keep_to_the_point
from lookalike.settings import read_settings
from worker.backends import THREADS
from worker.choosing import fixed_backend
from worker.embed import card_at, model_path
from worker.equipment import library_root
from worker.errors import Away
from worker.patience import wait_out
from worker.prepare import make
from worker.slots import TakeBack, register, transport_options
from worker.tasks import Process, define

log = logging.getLogger(__name__)

SOFT_SHUTDOWN_S = 3.0
# Celery kills a child that is not ready after 4 s; loading a ResNet-50 on a busy machine takes longer.
READY_WITHIN_S = 120.0

main_pid = os.getpid()
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
    worker_max_memory_per_child=settings.max_worker_mib * 1024,
    worker_soft_shutdown_timeout=SOFT_SHUTDOWN_S,
    worker_proc_alive_timeout=READY_WITHIN_S,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=True,
    worker_redirect_stdouts=False,
    worker_consumer="worker.consumer:Consumer",
    worker_log_format=FORMAT,
    worker_task_log_format=FORMAT,
    task_send_sent_event=True,
    worker_send_task_events=True,
)


# For the heartbeat of the main process alone; it connects when it is first used, and children make their own.
board_redis = redis_of(settings)
board = Board(board_redis, settings.names)
process = Process(settings)
if slot is not None:
    app.steps["consumer"].add(TakeBack)
define(app, settings, process)


@worker_init.connect
def start(**_: Any) -> None:
    """Before the pool: refuses what cannot work, and tells the board where an ingest worker keeps what it holds."""
    ingests = _ingests()
    try:
        if ingests:
            library_root(settings)
        card_at(model_path(settings))
        if fixed_backend(settings) is None:
            # Before any child computes something: whoever comes first measures, and makes the collection.
            make(settings, rebuild=False, for_s=float("inf"))
    except LookalikeError as error:
        # Celery's signals swallow exceptions, and a pool that cannot load its model would restart for ever.
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    keep_to_the_point()
    if not ingests:
        # What a search worker holds is no file that is on its way.
        return
    redis = redis_of(settings)

    def show() -> None:
        try:
            register(redis, settings.names, slot)
        except (RedisError, OSError) as error:
            raise Away(f"the broker does not answer ({error})") from error

    wait_out(show, for_s=float("inf"))


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """After fork: loads the model and asks the store something, so that the first task is as quick as the rest."""
    die_with_parent(signal.SIGKILL, main_pid)
    embedder = process.embedder
    embedder.warm_up()
    log.info(fields("computing", backend=embedder.backend, precision=embedder.card.precision, threads=THREADS))
    # A store that is away, or an index that does not fit: the first task says so.
    with suppress(Away, LookalikeError):
        process.mind_index()
        process.equipment.warm_up()


@heartbeat_sent.connect
def beat(sender: Any, **_: Any) -> None:
    """Tells the board that this worker is alive; its part is the name before the `@`."""
    hostname = sender.eventer.hostname
    try:
        if _ingests():
            # Again and again, because a broker may be emptied.
            register(board_redis, settings.names, slot)
        board.beat(hostname.partition("@")[0], hostname)
    except RedisError as error:
        log.warning("no heartbeat: %s", error)


def _ingests() -> bool:
    return settings.names.ingest in app.amqp.queues.consume_from
