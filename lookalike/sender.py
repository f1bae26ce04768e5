"""Puts the three tasks on their queues and fetches answers. The one seam between everything and the workers."""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lookalike.errors import LookalikeError, Refused, TimedOut, Unreachable
from lookalike.log import fields
from lookalike.messages import (
    CountsReply,
    FilesReply,
    ImageByKey,
    ImageByPath,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    SearchMessage,
    Strict,
    SyncMessage,
)
from lookalike.names import READ, SEARCH, SYNC, Names

log = logging.getLogger(__name__)


class Sender:
    """Sends messages through one Celery app."""

    def __init__(self, app: Celery, names: Names) -> None:
        self._app = app
        self._names = names

    def sync(self, message: SyncMessage, *, scanned: bool = False, answer: bool = True) -> AsyncResult:
        """Asks the ingest workers to look at paths; what a scan found waits behind what just changed."""
        queue = self._names.rescan if scanned else self._names.ingest
        return self._send(SYNC, message, queue=queue, ignore_result=not answer)

    def search(self, image: ImageByPath | bytes, limit: int, *, expires_s: float) -> AsyncResult:
        """Asks for neighbours; nobody starts on it after `expires_s`, and bytes of an image wait no longer."""
        key = str(uuid.uuid4())
        beside = {self._names.query(key): image} if isinstance(image, bytes) else {}
        message = SearchMessage(image=ImageByKey(key=key) if isinstance(image, bytes) else image, limit=limit)
        return self._send(SEARCH, message, queue=self._names.search, expires_s=expires_s, beside=beside)

    def counts(self, *, timeout_s: float) -> CountsReply:
        """How much is in the index. Raises Unreachable, TimedOut."""
        return CountsReply.model_validate(self._read(ReadCounts(), timeout_s))

    def page(self, ask: ReadPage, *, timeout_s: float) -> FilesReply:
        """One page of the index. Raises Unreachable, TimedOut, Refused."""
        return FilesReply.model_validate(self._read(ask, timeout_s))

    def known(self, paths: list[str], *, timeout_s: float) -> FilesReply:
        """What the index knows of these paths. Raises Unreachable, TimedOut, Refused."""
        return FilesReply.model_validate(self._read(ReadKnown(paths=paths), timeout_s))

    def _read(self, ask: ReadCounts | ReadPage | ReadKnown, timeout_s: float) -> Any:
        sent = self._send(READ, ReadMessage(ask=ask), queue=self._names.search, expires_s=timeout_s)
        return answer_of(sent, timeout_s=timeout_s)

    def _send(
        self,
        task: str,
        message: Strict,
        *,
        queue: str,
        expires_s: float | None = None,
        beside: Mapping[str, bytes] | None = None,
        **options: Any,
    ) -> AsyncResult:
        with _away():
            # Asked first, because Celery would try for five seconds and log each of its tries; and asked for the time,
            # because by a clock here that is slow everything would have expired when it arrives.
            with self._app.backend.client.pipeline(transaction=False) as pipe:
                pipe.time()
                for key, blob in (beside or {}).items():
                    pipe.set(key, blob, px=None if expires_s is None else max(1, int(expires_s * 1000)))
                (now_s, _), *_ = pipe.execute()
            expires = None if expires_s is None else datetime.fromtimestamp(now_s + expires_s, UTC)
            arguments = [message.model_dump(mode="json")]
            sent = self._app.send_task(task, args=arguments, queue=queue, expires=expires, retry=False, **options)
        log.debug(fields("sent", task=task, queue=queue, id=sent.id))
        return sent


def answer_of(result: AsyncResult, *, timeout_s: float) -> Any:
    """The answer as JSON. Raises TimedOut, Unreachable, or what the worker raised."""
    try:
        with _away():
            # Searching from inside a task is fine: searches run on workers of their own, so nothing can
            # wait for itself (Celery's rule is about tasks that fill the pool they wait for).
            answer = result.get(timeout=timeout_s, propagate=False, disable_sync_subtasks=False)
            result.forget()
    except CeleryTimeoutError:
        raise TimedOut(
            f"No answer within {timeout_s:g} s. `lookalike status` tells which part is silent or what waits before it."
        ) from None
    if isinstance(answer, TaskRevokedError):
        raise TimedOut("Nobody took the job before it expired. `lookalike status` tells which part is silent.")
    if isinstance(answer, LookalikeError):
        raise answer
    if isinstance(answer, WorkerLostError | TimeLimitExceeded):
        raise Refused("The worker's process died over it; what was sent cannot be processed.")
    if isinstance(answer, BaseException):
        # Rebuilt by Celery from the name and message that the worker's exception had.
        raise Refused(f"The worker failed with {type(answer).__name__}: {answer}. `lookalike logs` has the rest.")
    return answer


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (OperationalError, RedisError, ConnectionError, RuntimeError) as error:
        # RuntimeError is what Celery's result backend ends its retries with.
        raise Unreachable(
            f"The broker does not answer ({error}). Start the system with `lookalike up FOLDER`, or check REDIS_URL."
        ) from error
