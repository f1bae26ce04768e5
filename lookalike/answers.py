"""Celery's result backend for clients: it subscribes to a result when it is asked for, not when the task is sent."""

import os
from typing import Any

from celery.backends.redis import RedisBackend, ResultConsumer
from celery.result import AsyncResult


class Listener(ResultConsumer):  # type: ignore[misc]
    """One pub/sub subscription for all threads of a process."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pid = os.getpid()

    def cancel_for(self, task_id: str) -> None:
        """Unsubscribes, but not in a child of fork(), where greenlets that waited are ended.

        There the socket is the parent's: an UNSUBSCRIBE would get mixed with the parent's commands.
        """
        if os.getpid() == self._pid:
            super().cancel_for(task_id)

    def close(self) -> None:
        """Ends the subscription and, under gevent, the greenlet that reads it."""
        stopped = getattr(self.drainer, "_stopped", None)
        if stopped is not None:
            stopped.set()
        self.stop()


class Answers(RedisBackend):  # type: ignore[misc]
    """Results that are never asked for cost no subscription, so nothing of them has to be cleaned up."""

    ResultConsumer = Listener

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Celery would subscribe to the result here; `get` does that as well, and then reads it."""

    def close(self) -> None:
        """Closes all of its connections."""
        self.result_consumer.close()
        self.client.connection_pool.disconnect()


class Answer(AsyncResult):  # type: ignore[misc]
    """One result. `CeleryTransport.answer` cancels its subscription explicitly."""

    def __del__(self) -> None:
        """Does nothing: Celery would unsubscribe here, at any time, in any greenlet, perhaps without a broker."""
