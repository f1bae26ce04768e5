"""The program `celery --app worker worker`: the app, its tasks, and the handlers of start and fork."""

from worker import quick_start  # isort: split

import os
import signal
import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import Any

from celery.platforms import SecurityWarning
from celery.signals import (
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from structlog.contextvars import bind_contextvars, unbind_contextvars

from lookalike.broker.app import broker_address, celery_app, redis_of
from lookalike.broker.pause import PauseState
from lookalike.broker.telemetry import Telemetry
from lookalike.broker.traces import require_traces, trace_tasks
from lookalike.errors import LookalikeError
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger, log_to_stderr
from lookalike.redis_keys import Keys
from lookalike.settings import service_settings
from lookalike.system.alive_file import BROKER_AWAY, AliveFile, alive_while_starting
from lookalike.system.data_folder import DataFolder
from lookalike.system.file_locks import wait_unlocked
from lookalike.system.memory import give_memory_back
from lookalike.system.one_call import called_apart
from lookalike.system.process_guard import die_with_parent
from worker.child_process import ChildProcess
from worker.connecting import library_root
from worker.delivery.celery_overrides import lease_step, prefetch_step, transport_options, wake_step
from worker.delivery.foreign_tasks import route_foreign_task
from worker.delivery.heartbeat import Heartbeat
from worker.delivery.held_queues import pause_step
from worker.delivery.leases import Leases, holder
from worker.delivery.long_wait import BEHIND_SENTINELS, TRANSPORT
from worker.delivery.resting_pool import rest_step
from worker.delivery.takeover import RENEWALS
from worker.duplicates.celery_task import define_duplicates
from worker.inference.decoder import enable_formats
from worker.inference.embedder import card_at, model_path
from worker.inference.provider_selection import fixed_provider
from worker.inference.providers import THREADS
from worker.pausing import Pausing, local_pause
from worker.prepare import prepare_index
from worker.retry_budget import retry_while_unavailable
from worker.serving import served_now
from worker.tasks import define_tasks

log = get_logger(__name__)

SOFT_SHUTDOWN_S = 3.0
# Longest wait of its loop: for messages, timers and signals it is woken.
LOOP_WAIT_S = 10.0
# Celery kills a child that is not ready after 4 s; loading a ResNet-50 on a busy machine takes longer.
CHILD_READY_WITHIN_S = 120.0

main_pid = os.getpid()
settings = service_settings()
own_name = holder()
app = celery_app(settings, name="worker")
app.conf.update(
    broker_transport_options={
        **app.conf.broker_transport_options,
        **transport_options(settings.keys, own_name, visibility_timeout_s=2 * settings.task_time_limit_s),
    },
    broker_transport=BEHIND_SENTINELS if broker_address(settings).sentinels else TRANSPORT,
    broker_connection_max_retries=None,
    # A broker that is full or cannot write its disk refuses to note what it delivers: that would end the program.
    broker_channel_error_retry=True,
    # Bounded by worker/delivery/celery_overrides.py instead: Celery's count drifts.
    worker_prefetch_multiplier=0,
    task_routes=route_foreign_task,
    worker_eta_task_limit=settings.max_queued_batches,
    worker_max_memory_per_child=settings.max_worker_mib * 1024,
    worker_soft_shutdown_timeout=SOFT_SHUTDOWN_S,
    worker_proc_alive_timeout=CHILD_READY_WITHIN_S,
    worker_timer_precision=LOOP_WAIT_S,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_redirect_stdouts=False,
    worker_consumer="worker.delivery.celery_overrides:BufferedEventsConsumer",
    task_send_sent_event=True,
    worker_send_task_events=True,
)


if os.name == "posix" and os.geteuid() != 0:
    # Celery takes a group without a name for the superuser's; containers run as the owner of the library.
    warnings.simplefilter("ignore", SecurityWarning)

# Only for the heartbeat of the main process; it connects on first use, and children make their own.
telemetry_redis = redis_of(settings)
telemetry = Telemetry(telemetry_redis, settings.keys)
heartbeat = Heartbeat(telemetry)
process = ChildProcess(settings, own_name)
# A connection that hangs must end long before the lease does.
round_s = settings.lease_s / RENEWALS
lease_redis = redis_of(settings, socket_connect_timeout=round_s, socket_timeout=round_s, retry=Retry(NoBackoff(), 1))
leases = Leases(lease_redis, settings.keys, own_name, lease_s=settings.lease_s)
app.steps["consumer"].add(lease_step(leases, lease_s=settings.lease_s, also=heartbeat.write))
app.steps["consumer"].add(prefetch_step(leases))
app.steps["consumer"].add(wake_step())
pausing = Pausing(
    # As short of patience as the lease: Celery's loop waits meanwhile.
    PauseState(lease_redis, Keys(settings.succeeds or settings.name)),
    partial(local_pause, settings.quiet_span, on_battery=settings.pause_on_battery),
)
app.Task.Request = "worker.delivery.celery_overrides:NamedRequest"
app.events_cls = "worker.delivery.celery_overrides:OneTryEvents"
define_tasks(app, settings, process)
define_duplicates(app, settings, process)
alive_file: AliveFile | None = None
quick_start.end()


@setup_logging.connect
def set_up_log(loglevel: int | str = "INFO", **_: Any) -> None:
    """In place of Celery's own loggers, formats and redirected streams."""
    log_to_stderr(loglevel, log_format=settings.log_format)


@task_prerun.connect
def bind_task(task_id: str, **_: Any) -> None:
    """Whatever is logged during a task names it."""
    bind_contextvars(task=task_id)


@task_postrun.connect
def unbind_task(**_: Any) -> None:
    """Celery logs the outcome itself, with the name of the task."""
    unbind_contextvars("task")


@worker_init.connect
def check_settings(**_: Any) -> None:
    """Before the pool starts: refuses settings that cannot work."""
    queues = app.amqp.queues.consume_from
    try:
        require_traces(settings)
        with alive_while_starting(settings.alive_file):
            if settings.data is not None:
                wait_unlocked(DataFolder(settings.data).preparing, float("inf"))
        if settings.keys.ingest in queues:
            library_root(settings)
        if settings.keys.ingest in queues or settings.keys.search not in queues:
            step_back()
        if settings.keys.search not in queues:
            # One goes on looking whether the index is there (worker/index/monitor.py).
            app.steps["consumer"].add(rest_step(settings.ingest_idle_s, fewest=1 if needs_model() else 0))
        if settings.keys.ingest in queues:
            app.steps["consumer"].add(pause_step(pausing, settings.keys))
        with alive_while_starting(settings.alive_file):
            # To read a model's card is to load the model, and this process needs it no more.
            called_apart(check_model)
    except (LookalikeError, ChildProcessError) as error:
        # Celery's signals swallow exceptions, and a pool that cannot load its model would restart for ever.
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def check_model() -> None:
    """Raises Misconfigured for a model that does not fit the contract. Makes the index if what computes is not set."""
    served = retry_while_unavailable(partial(served_now, settings), for_s=float("inf"))
    card_at(model_path(served))
    if fixed_provider(served) is None and needs_model():
        # Before any child computes a vector: the first worker measures, and makes the collection.
        prepare_index(served, rebuild=False, retry_for_s=float("inf"))


def needs_model() -> bool:
    """Whether this worker embeds anything: not one that only looks for duplicates."""
    return set(app.amqp.queues.consume_from) != {settings.keys.duplicates}


def step_back() -> None:
    """Takes the niceness of ingest, which the pool inherits; one that is higher already stays, as it has to."""
    if os.name == "posix" and os.getpriority(os.PRIO_PROCESS, 0) < settings.ingest_nice:
        os.setpriority(os.PRIO_PROCESS, 0, settings.ingest_nice)


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """After fork: loads the model and connects to the store, so that the first task is as quick as the rest."""
    die_with_parent(signal.SIGKILL, main_pid)
    if settings.traces:
        flush = trace_tasks("lookalike-worker")
        worker_process_shutdown.connect(lambda **_: flush(), weak=False)
    if not needs_model():
        enable_formats()
        return
    searches = settings.keys.search in app.amqp.queues.consume_from
    process.rests_after_s = settings.search_idle_s if searches else settings.ingest_idle_s
    embedder = process.embedder
    embedder.warm_up()
    log.info("computing", provider=embedder.provider, precision=embedder.card.precision, threads=THREADS)
    if searches:
        process.follower.start_preparing()
    # If the store is unavailable or the index does not fit, the first task reports it.
    with suppress(Unavailable, LookalikeError):
        process.monitor_index()
        process.context.warm_up()
    # To load a model takes twice the memory that it keeps.
    give_memory_back()


@worker_ready.connect
def report_start(sender: Any, **_: Any) -> None:
    """Counts this start of the part whose name stands before the `@`."""
    try:
        telemetry.count_start(sender.hostname.partition("@")[0])
    except RedisError as error:
        log.warning("a start is not counted", why=str(error))


@worker_ready.connect
def start_alive_file(sender: Any, **_: Any) -> None:
    """After the pool has started: a thread must not be forked. Without a broker it says so, and is not dead."""
    global alive_file  # noqa: PLW0603 (Celery gives its handlers nothing that lives as long)
    if settings.alive_file is not None:
        has_library = settings.keys.ingest in app.amqp.queues.consume_from
        alive_file = AliveFile(settings.alive_file, settings.library_folder if has_library else None)
        alive_file.start()
        sender.while_disconnected = partial(alive_file.beat, BROKER_AWAY)


@heartbeat_sent.connect
def send_heartbeat(sender: Any, **_: Any) -> None:
    """Called while the broker answers."""
    if alive_file is not None:
        alive_file.beat()
    heartbeat.beat(sender.eventer.hostname)
