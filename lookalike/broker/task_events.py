"""Shows a long piece of work in Flower's list of tasks, as Celery shows a task: by events that only monitors read."""

import socket
import time
import uuid
from contextlib import suppress
from typing import Any

from celery.events import EventDispatcher
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lookalike.broker.app import celery_app
from lookalike.broker.generations import Reindex
from lookalike.redis_keys import REINDEX
from lookalike.settings import Settings

EVERY_S = 5.0


class TaskEvents:
    """The events of one reindex after another. What cannot be sent is left out."""

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings, name="reindex")
        self._system = settings.name
        self._hostname = f"reindex@{socket.gethostname()}.{settings.name}"
        self._shown: tuple[str, str] = ("", "")
        self._next_s = 0.0

    def progress(self, asked: Reindex, done: int, total: int) -> None:
        """Tells how far it is, every few seconds, and at once when its state changes, which is the task's."""
        now_s, shown = time.monotonic(), (task_id(asked), asked.state)
        if shown == self._shown and now_s < self._next_s:
            return
        self._begin(asked)
        self._shown, self._next_s = shown, now_s + EVERY_S
        left = "" if asked.eta_s is None else f", about {asked.eta_s:.0f} s left"
        why = f"; {asked.why}" if asked.why else ""
        # Flower shows the name of the event as the state of the task, and what it says as its result.
        self._send(asked, f"task-{asked.state}", result=f"{done} of {total} files{left}{why}")

    def succeeded(self, asked: Reindex, outcome: str) -> None:
        """Tells that it ended as it was to."""
        self._begin(asked)
        self._send(asked, "task-succeeded", result=outcome, runtime=max(0.0, time.time() - asked.asked_at))

    def cancelled(self, asked: Reindex) -> None:
        """Tells that it was given up on request."""
        self._begin(asked)
        self._send(asked, "task-revoked", terminated=True, signum=None, expired=False)

    def refused(self, asked: Reindex, why: str) -> None:
        """Tells why it cannot be, in a sentence."""
        self._begin(asked)
        self._send(asked, "task-failed", exception=why, traceback="")

    def _begin(self, asked: Reindex) -> None:
        if task_id(asked) != self._shown[0]:
            self._shown = (task_id(asked), "")
            line = f"{self._system}: to {asked.model}, {asked.distance}"
            self._send(asked, "task-received", args=line, kwargs="{}")
            self._send(asked, "task-started")

    def _send(self, asked: Reindex, event: str, **fields: Any) -> None:
        with (
            suppress(OperationalError, RedisError, OSError),
            self._app.connection_for_write() as connection,
            EventDispatcher(connection, self._hostname, app=self._app) as events,
        ):
            events.send(event, uuid=task_id(asked), name=REINDEX, **fields)


def task_id(asked: Reindex) -> str:
    """The same for one reindex, whichever process carries it on."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{asked.model} {asked.distance} {asked.asked_at}"))
