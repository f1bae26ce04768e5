"""Sends one message through Celery: its job's record and its images first, then the task."""

import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from celery import Celery
from kombu.pools import ProducerPool

from lookalike.broker.celery_overrides import POOL_WAIT_S, Answer
from lookalike.broker.envelope import SENT_AT
from lookalike.broker.traces import Sending
from lookalike.client.shown import shown
from lookalike.client.transports.job_records import JobRecords
from lookalike.client.transports.transport import UNFOLLOWED, JobKind, JobStatus, Message
from lookalike.redis_keys import DUPLICATES, READ, SEARCH, SEARCH_MANY, SYNC, THUMBNAIL, VERDICT, Keys

log = logging.getLogger(__name__)

TASKS: Mapping[JobKind, str] = {
    "search": SEARCH,
    "search_many": SEARCH_MANY,
    "sync": SYNC,
    "read": READ,
    "thumbnail": THUMBNAIL,
    "verdict": VERDICT,
    "duplicates": DUPLICATES,
}


class TaskSender:
    """Sends through the producers and the Redis client of a transport, which owns them."""

    def __init__(self, app: Celery, keys: Keys, producers: ProducerPool, records: JobRecords, sending: Sending) -> None:
        self._app = app
        self._keys = keys
        self._producers = producers
        self._redis: Any = app.backend.client
        self._records = records
        self._sending = sending

    def send(
        self,
        kind: JobKind,
        message: Message,
        *,
        queue: str,
        expires_s: float | None = None,
        blobs: Mapping[str, bytes] | None = None,
        want_result: bool = True,
    ) -> JobStatus:
        """Puts the message into the queue, what it refers to before it. Raises what Celery and Redis do."""
        job, task = str(uuid.uuid4()), TASKS[kind]
        # Redis is asked first, because Celery would retry for five seconds and log each attempt; and it is asked
        # for the time, because by a slow clock of this machine every message would have expired on arrival.
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            if want_result and kind not in UNFOLLOWED:
                self._records.store(pipe, job, kind, expires_s)
            for key, blob in (blobs or {}).items():
                lives_ms = None if expires_s is None else max(1, int(expires_s * 1000))
                pipe.set(self._keys.query(key), blob, px=lives_ms)
            (seconds, microseconds), *_ = pipe.execute()
        now_s = seconds + microseconds / 1e6
        expires = None if expires_s is None else datetime.fromtimestamp(seconds + expires_s, UTC)
        with (
            self._sending(task, job) as context,
            self._producers.acquire(block=True, timeout=POOL_WAIT_S) as producer,  # type: ignore[no-untyped-call]
        ):
            self._app.send_task(
                task,
                args=[message.model_dump(mode="json", exclude_none=True)],
                # For Flower, and quicker: Celery would write down every argument (.1 ms of a search).
                argsrepr=shown(message, self._keys.system),
                task_id=job,
                queue=queue,
                expires=expires,
                headers={SENT_AT: now_s, **context},
                retry=False,
                producer=producer,
                # Bound to this app: by itself it belongs to the current app of the process, and builds its backend.
                result_cls=partial(Answer, app=self._app),
                ignore_result=not want_result,
            )
        log.debug("sent task=%s queue=%s id=%s", task, queue, job)
        return JobStatus(job, kind, datetime.fromtimestamp(now_s, UTC))
