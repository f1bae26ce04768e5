"""Celery's consumer, with two differences: when it tells Flower of a task, and how it counts what it may hold."""

import time
from typing import Any

from celery import bootsteps
from celery.worker.consumer import Consumer as CeleryConsumer
from celery.worker.state import reserved_requests, scheduled_requests

from worker.delivery.leases import Leases

# Celery publishes "received" before it hands the task to its process, and waits for the broker meanwhile: 0.5 ms of
# a search (docs/decisions/0009-speed.md). Flower shows seconds.
TOLD_AFTER_S = 0.1


class BufferedEventsConsumer(CeleryConsumer):  # type: ignore[misc]
    """Gathers the events of a tenth of a second, or as many as Celery's buffer takes, into one message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told_at_s = 0.0

    def on_send_event_buffered(self) -> None:
        """Called by Celery's dispatcher for each event."""
        now_s = time.monotonic()
        # By the clock and not by a flag: a timer that a lost connection took along must not be waited for.
        if self.hub and now_s >= self._told_at_s:
            self._told_at_s = now_s + TOLD_AFTER_S
            self.hub.call_later(TOLD_AFTER_S, self._tell)

    def shutdown(self) -> None:
        """Tells what is left, before the connection is closed."""
        self._tell()
        super().shutdown()

    def _tell(self) -> None:
        if self.event_dispatcher is not None:
            self.event_dispatcher.flush()


def bounded(leases: Leases) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that decides when to take a message, and what becomes of it in the broker."""

    class Bounded(bootsteps.StartStopStep):  # type: ignore[misc]
        """Takes a message only while fewer are unacknowledged than there are processes, told from the messages.

        Celery's own prefetch count is a number that goes up for each message with a countdown and down when its time
        has come. It has no upper bound, so one worker took all that was to be tried again; `worker_eta_task_limit`
        bounds the way up and not the way down, after which one message was held for four processes.
        """

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, consumer: Any) -> None:
            """Called by Celery each time it has connected, before it takes messages."""
            most_again = consumer.app.conf.worker_eta_task_limit
            qos = consumer.task_consumer.channel.qos
            forget = qos._quick_ack  # noqa: SLF001

            def can_consume() -> bool:
                held = sum(not request.acknowledged for request in reserved_requests)
                # Of a stranger's countdown of an hour nothing must wait.
                again = sum(request.request_dict.get("retries", 0) > 0 for request in scheduled_requests)
                return bool(held < consumer.pool.num_processes and again < most_again)

            def ack(tag: str) -> None:
                leases.done(tag)
                forget(tag)

            def reject(tag: str, *, requeue: bool = False) -> None:
                if requeue:
                    leases.put_back_mine(lambda one: one == tag)
                ack(tag)

            qos.can_consume = can_consume
            # A task may end when the connection that brought its message is lost and another one is there. Kombu 5.7
            # would ask the lost one, and end the worker or lose the message.
            qos.ack, qos.reject = ack, reject
            # Closing it, kombu would put back what is still being worked on.
            qos.restore_at_shutdown = False

    return Bounded
