"""Shows a long piece of work in Flower's list of tasks, as Celery shows a task: by events that only monitors read."""

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
    """The events of one reindex. What cannot be sent is left out."""

    def __init__(self, settings: Settings) -> None:
        self._app = celery_app(settings, name="reindex")
        self._task = str(uuid.uuid4())
        self._hostname = f"reindex@{settings.name}"
        self._is_begun = False
        self._next_s = 0.0

    def progress(self, asked: Reindex, done: int, total: int) -> None:
        """Tells how far it is, every few seconds."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + EVERY_S
        what = {"name": REINDEX, "args": repr((asked.model, asked.distance)), "kwargs": "{}"}
        if not self._is_begun:
            self._send("task-received", **what)
            self._is_begun = True
        self._send("task-started", **what, result=f"{done} of {total} files")

    def done(self, outcome: str) -> None:
        """Tells that it ended."""
        if self._is_begun:
            self._send("task-succeeded", name=REINDEX, result=outcome, runtime=0.0)
            self._is_begun = False

    def _send(self, event: str, **fields: Any) -> None:
        with (
            suppress(OperationalError, RedisError, OSError),
            self._app.connection_for_write() as connection,
            EventDispatcher(connection, self._hostname, app=self._app) as events,
        ):
            events.send(event, uuid=self._task, **fields)
