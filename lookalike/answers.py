"""Celery's result backend, as a client needs it: it listens for an answer when somebody asks for it, and not before."""

import os
from typing import Any

from celery.backends.redis import RedisBackend, ResultConsumer
from celery.result import AsyncResult


class Listener(ResultConsumer):  # type: ignore[misc]
    """One subscription for all threads of a process."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pid = os.getpid()

    def cancel_for(self, task_id: str) -> None:
        """Says that nobody waits any more, but not in a child of fork(), where greenlets that waited are ended.

        There the socket is the parent's: an UNSUBSCRIBE would come between the parent's words.
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
    """Answers that nobody asks for cost no subscription, so that nothing of them is left to be cleaned up."""

    ResultConsumer = Listener

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Celery would subscribe to the answer here; asking for it does that as well, and then looks for it."""

    def close(self) -> None:
        """Closes all of its connections."""
        self.result_consumer.close()
        self.client.connection_pool.disconnect()


class Answer(AsyncResult):  # type: ignore[misc]
    """One answer. Whoever waited for it says so when the waiting is over."""

    def __del__(self) -> None:
        """Celery says it here again, at any time, in any greenlet, and when the broker may be gone."""
