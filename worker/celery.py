"""Joins the parts into the program `celery -A worker worker`: app, tasks, and what happens at start and fork."""

import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from celery.signals import heartbeat_sent, worker_init, worker_process_init
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from lookalike.broker import celery_app, redis_of
from lookalike.errors import LookalikeError
from lookalike.log import FORMAT, fields, quiet_libraries
from lookalike.process_guard import die_with_parent
from lookalike.settings import read_settings
from lookalike.telemetry import Telemetry
from worker.celery_overrides import bounded
from worker.context import library_root
from worker.embedder import card_at, model_path
from worker.errors import Unavailable
from worker.leases import Leases, holder, transport_options
from worker.prepare import make
from worker.provider_selection import fixed_backend
from worker.providers import THREADS
from worker.takeover import RENEWALS, holding
from worker.tasks import ChildProcess, define

log = logging.getLogger(__name__)

SOFT_SHUTDOWN_S = 3.0
# Celery kills a child that is not ready after 4 s; loading a ResNet-50 on a busy machine takes longer.
READY_WITHIN_S = 120.0

main_pid = os.getpid()
settings = read_settings()
mine = holder()
app = celery_app(settings, name="worker")
app.conf.update(
    broker_transport_options={
        **app.conf.broker_transport_options,
        **transport_options(settings.keys, mine, visibility_timeout_s=2 * settings.task_time_limit_s),
    },
    broker_connection_max_retries=None,
    # Counted by worker/celery_overrides.py instead: Celery's count drifts.
    worker_prefetch_multiplier=0,
    worker_eta_task_limit=settings.max_queued_batches,
    worker_max_memory_per_child=settings.max_worker_mib * 1024,
    worker_soft_shutdown_timeout=SOFT_SHUTDOWN_S,
    worker_proc_alive_timeout=READY_WITHIN_S,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=True,
    worker_redirect_stdouts=False,
    worker_consumer="worker.celery_overrides:BufferedEventsConsumer",
    worker_log_format=FORMAT,
    worker_task_log_format=FORMAT,
    task_send_sent_event=True,
    worker_send_task_events=True,
)


# For the heartbeat of the main process alone; it connects when it is first used, and children make their own.
telemetry_redis = redis_of(settings)
telemetry = Telemetry(telemetry_redis, settings.keys)
process = ChildProcess(settings, mine)
# A connection that hangs must end long before the lease does.
look_s = settings.lease_s / RENEWALS
lease_redis = redis_of(settings, socket_connect_timeout=look_s, socket_timeout=look_s, retry=Retry(NoBackoff(), 1))
leases = Leases(lease_redis, settings.keys, mine, lease_s=settings.lease_s)
app.steps["consumer"].add(holding(leases, lease_s=settings.lease_s))
app.steps["consumer"].add(bounded(leases))
define(app, settings, process)


@worker_init.connect
def start(**_: Any) -> None:
    """Before the pool: refuses what cannot work."""
    try:
        if settings.keys.ingest in app.amqp.queues.consume_from:
            library_root(settings)
        card_at(model_path(settings))
        if fixed_backend(settings) is None:
            # Before any child computes something: whoever comes first measures, and makes the collection.
            make(settings, rebuild=False, for_s=float("inf"))
    except LookalikeError as error:
        # Celery's signals swallow exceptions, and a pool that cannot load its model would restart for ever.
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    quiet_libraries()


@worker_process_init.connect
def start_child(**_: Any) -> None:
    """After fork: loads the model and asks the store something, so that the first task is as quick as the rest."""
    die_with_parent(signal.SIGKILL, main_pid)
    embedder = process.embedder
    embedder.warm_up()
    log.info(fields("computing", backend=embedder.backend, precision=embedder.card.precision, threads=THREADS))
    # A store that is away, or an index that does not fit: the first task says so.
    with suppress(Unavailable, LookalikeError):
        process.monitor_index()
        process.context.warm_up()


@heartbeat_sent.connect
def beat(sender: Any, **_: Any) -> None:
    """Tells the board that this worker is alive; its part is the name before the `@`."""
    hostname = sender.eventer.hostname
    try:
        telemetry.heartbeat(hostname.partition("@")[0], hostname)
    except RedisError as error:
        log.warning("no heartbeat: %s", error)
