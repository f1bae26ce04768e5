"""All that relies on the insides of Celery and kombu: the consumer, what it may hold, its acknowledgements, its keys.

tests/worker/delivery/test_celery_overrides.py names each member used here, and fails when a new version lacks one.
"""

import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery import bootsteps
from celery.app.events import Events
from celery.events import EventDispatcher
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.request import Request as CeleryRequest
from celery.worker.state import active_requests, reserved_requests, scheduled_requests
from redis.client import Pipeline
from redis.exceptions import RedisError

from lookalike.broker.pause import LOOK_S
from lookalike.log import get_logger
from lookalike.redis_keys import SYNC, Keys
from worker.delivery.leases import Leases
from worker.delivery.takeover import Takeover

# Celery publishes "received" before it hands the task to its process, and waits for the broker meanwhile: 0.5 ms of
# a search (docs/decisions/0009-speed.md). Flower shows seconds.
FLUSH_EVERY_S = 0.1
log = get_logger(__name__)


def transport_options(keys: Keys, holder: str, *, visibility_timeout_s: float) -> dict[str, Any]:
    """Options of Celery's Redis transport for a worker with keys of its own."""
    key = keys.unacked(holder)
    return {
        "unacked_key": key,
        "unacked_index_key": f"{key}:index",
        "unacked_mutex_key": f"{key}:mutex",
        # No other worker reads these keys by this timeout; it is for what this worker itself forgot.
        "visibility_timeout": visibility_timeout_s,
        # It wakes the worker.
        "unacked_restore_interval": 60,
        # Takes from `ingest` before `rescan`: a new photo does not wait behind a million old ones.
        "queue_order_strategy": "sorted",
    }


class BufferedEventsConsumer(CeleryConsumer):  # type: ignore[misc]
    """Gathers the events of a tenth of a second, or as many as Celery's buffer takes, into one message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scheduled_at_s = 0.0
        # Whether syncs rest; replaced by the step that knows.
        self.is_paused: Callable[[], bool] = lambda: False
        # Called every second while it connects, which may take as long as the broker is away.
        self.while_disconnected: Callable[[], None] = lambda: None

    def ensure_connected(self, conn: Any) -> Any:
        """Called by Celery to connect."""
        connect = conn.ensure_connection

        def connect_and_tell(*args: Any, callback: Callable[[], None], **named: Any) -> Any:
            def each_second() -> None:
                self.while_disconnected()
                callback()

            return connect(*args, callback=each_second, **named)

        conn.ensure_connection = connect_and_tell
        return super().ensure_connected(conn)

    def on_send_event_buffered(self) -> None:
        """Called by Celery's dispatcher for each event."""
        now_s = time.monotonic()
        # By the clock and not by a flag: a lost connection may take the timer along, and the flag would stay set.
        if self.hub and now_s >= self._scheduled_at_s:
            self._scheduled_at_s = now_s + FLUSH_EVERY_S
            self.hub.call_later(FLUSH_EVERY_S, self._flush_buffered)

    def apply_eta_task(self, task: Any) -> None:
        """Called by Celery's timer when the countdown of a task that it holds is over; a pause prolongs it."""
        if task.name == SYNC and self.is_paused():
            self.timer.call_after(LOOK_S, self.apply_eta_task, (task,))
        else:
            super().apply_eta_task(task)

    def shutdown(self) -> None:
        """Sends the remaining events before the connection is closed."""
        self._flush_buffered()
        super().shutdown()

    def _flush_buffered(self) -> None:
        if self.event_dispatcher is not None:
            self.event_dispatcher.flush()


class OneTryDispatcher(EventDispatcher):  # type: ignore[misc]
    """Sends an event once: what fails is kept, and sent after the worker has connected again.

    Celery retries a heartbeat for as long as the broker is down, in the thread that would notice that it is: a worker
    whose broker went right after its start said nothing of it, and took nothing, until that was back.
    """

    def send(self, type: str, *args: Any, retry: bool = False, **fields: Any) -> Any:  # noqa: A002, ARG002 (Celery's)
        """Called by Celery."""
        return super().send(type, *args, retry=False, **fields)


class OneTryEvents(Events):  # type: ignore[misc]
    """Of an app whose processes send their events so."""

    dispatcher_cls = f"{__name__}:{OneTryDispatcher.__qualname__}"


class NamedRequest(CeleryRequest):  # type: ignore[misc]
    """A task in hand. Each of its events tells what was asked: a Flower that started meanwhile has missed the first."""

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 (Celery's name)
        """Called by Celery."""
        super().send_event(type, **{"name": self.name, "args": self.argsrepr, **fields})


def prefetch_step(leases: Leases) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that decides when to take a message, and how it is acknowledged."""

    class BoundedPrefetch(bootsteps.StartStopStep):  # type: ignore[misc]
        """Takes a message only while fewer are unacknowledged than there are processes, counted from the messages.

        Celery's own prefetch count is a number that goes up for each message with a countdown and down when its time
        has come. It has no upper bound, so one worker took all that were to be retried; `worker_eta_task_limit`
        bounds the way up and not the way down, after which one message was held for four processes.
        """

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, consumer: Any) -> None:
            """Called by Celery each time it has connected, before it takes messages."""
            max_retries_held = consumer.app.conf.worker_eta_task_limit
            qos = consumer.task_consumer.channel.qos
            mark_acked = qos._quick_ack  # noqa: SLF001

            def can_consume() -> bool:
                held = sum(not request.acknowledged for request in reserved_requests)
                # Retries only: a message of another program with a countdown of an hour must not block the worker.
                retries = sum(request.request_dict.get("retries", 0) > 0 for request in scheduled_requests)
                # A pool that rests grows with the first message (worker/delivery/resting_pool.py).
                return bool(held < max(1, consumer.pool.num_processes) and retries < max_retries_held)

            def ack(tag: str) -> None:
                leases.acknowledge(tag)
                mark_acked(tag)

            def reject(tag: str, *, requeue: bool = False) -> None:
                if requeue:
                    leases.requeue_own(lambda one: one == tag)
                ack(tag)

            qos.can_consume = can_consume
            # A task may end after the connection that brought its message was lost and replaced. Kombu 5.7 would use
            # the lost one, and end the worker or lose the message.
            qos.ack, qos.reject = ack, reject
            # On closing the connection kombu would requeue what is still being worked on.
            qos.restore_at_shutdown = False

    return BoundedPrefetch


def wake_step() -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that ends the loop's wait at a signal, whose handler only leaves a note for it."""

    class WakeAtSignals(bootsteps.StartStopStep):  # type: ignore[misc]
        """Without it the loop would have to look each second whether it is to stop."""

        requires = ("celery.worker.consumer.connection:Connection",)
        ends: tuple[socket.socket, socket.socket] | None = None

        def start(self, consumer: Any) -> None:
            """Called by Celery each time it has connected, with a loop that knows no socket yet."""
            if consumer.hub is None:
                return
            if self.ends is None:
                self.ends = socket.socketpair()
                for end in self.ends:
                    end.setblocking(False)
                signal.set_wakeup_fd(self.ends[1].fileno(), warn_on_full_buffer=False)
            consumer.hub.add_reader(self.ends[0].fileno(), self.drain)

        def drain(self) -> None:
            """Called by the loop. What it is woken for it sees by itself."""
            if self.ends is not None:
                with suppress(BlockingIOError):
                    self.ends[0].recv(4096)

    return WakeAtSignals


def lease_step(
    leases: Leases, *, lease_s: float, also: Callable[[Pipeline], object] = lambda _: None
) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that holds the worker's lease."""

    class HoldLease(bootsteps.StartStopStep):  # type: ignore[misc]
        """Each time the worker has connected: requeues what it holds and does not work on, to be taken first.

        These messages were delivered and not begun when the connection broke: Celery forgets them then.
        """

        requires = ("celery.worker.consumer.connection:Connection",)
        thread: Takeover | None = None

        def start(self, _consumer: Any) -> None:
            """Called by Celery before it takes new messages; if the broker fails here, Celery connects again."""
            # Before the first message: only a worker with a lease may take one.
            leases.renew()
            active = {request.message.delivery_tag for request in active_requests}
            requeue(lambda tag: tag not in active)
            if self.thread is None:
                self.thread = Takeover(leases, lease_s=lease_s, also=also)
                self.thread.start()

        def shutdown(self, _consumer: Any) -> None:
            """Called by Celery when the processes have ended: requeues the rest now, not when the lease ends."""
            try:
                requeue(lambda _: True)
            except (RedisError, OSError) as error:
                log.warning("the messages in hand stay until the lease ends", why=str(error))

    def requeue(which: Callable[[str], bool]) -> None:
        messages = leases.requeue_own(which)
        if messages:
            log.info("put_back", messages=messages)

    return HoldLease
