"""Sends the three tasks to their queues and fetches results: the only way from a client or the producer to workers."""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from celery import Celery
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool
from redis.exceptions import RedisError

from lookalike.celery_overrides import Answer, BrokerPool
from lookalike.errors import Closed, LookalikeError, Refused, TimedOut, Unreachable
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
from lookalike.redis_keys import READ, SEARCH, SYNC, Keys

log = logging.getLogger(__name__)

# Each of the pool's ten connections is used for a millisecond at a time: one that is not free by then never will be.
POOL_WAIT_S = 10.0


class CeleryTransport:
    """Sends messages through one Celery app."""

    def __init__(self, app: Celery, keys: Keys) -> None:
        self._app = app
        self._keys = keys
        # Not the app's own pool: Celery shares that with every app of this process that has the same broker, and
        # closing it would break theirs.
        limit = app.conf.broker_pool_limit
        connections = BrokerPool(app.connection_for_write(), limit)  # type: ignore[no-untyped-call]
        self._producers = ProducerPool(connections, limit=limit, close_after_fork=False)  # type: ignore[no-untyped-call]
        # Created here: threads that use it first at the same time would each create one, and only one would be closed.
        self._answers = app.backend.client
        self._is_closed = False

    def close(self) -> None:
        """Closes all connections, also of threads that wait for an answer."""
        self._is_closed = True
        self._producers.force_close_all()  # type: ignore[no-untyped-call]
        self._producers.connections.force_close_all()
        self._app.backend.close()
        self._app.close()

    def answer(self, job: str, *, timeout_s: float) -> Any:
        """The answer of a job as JSON. Raises TimedOut, Unreachable, Closed, or what the worker raised."""
        result = Answer(job, app=self._app)
        try:
            return fetch_result(result, timeout_s=timeout_s, check_open=self._check_open)
        finally:
            # Otherwise the garbage collector would unsubscribe, perhaps when the broker is gone.
            with suppress(RedisError, RuntimeError):
                self._app.backend.remove_pending_result(result)

    def sync(self, message: SyncMessage, *, from_scan: bool = False, want_result: bool = True) -> str:
        """Asks the ingest workers to look at paths; those of a scan queue behind those that just changed.

        Returns the job.
        """
        queue = self._keys.rescan if from_scan else self._keys.ingest
        return self._send(SYNC, message, queue=queue, ignore_result=not want_result)

    def search(self, image: ImageByPath | bytes, limit: int, *, expires_s: float, path: str | None = None) -> str:
        """Asks for neighbours; after `expires_s` no worker starts on it, and the bytes of the image are deleted.

        `path` is where in the library these bytes lie. Returns the job; the other methods wait for the answer.
        """
        key = str(uuid.uuid4())
        blobs = {self._keys.query(key): image} if isinstance(image, bytes) else {}
        asked = ImageByKey(key=key) if isinstance(image, bytes) else image
        message = SearchMessage(image=asked, path=path, limit=limit)
        return self._send(SEARCH, message, queue=self._keys.search, expires_s=expires_s, blobs=blobs)

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
        sent = self._send(READ, ReadMessage(ask=ask), queue=self._keys.search, expires_s=timeout_s)
        return self.answer(sent, timeout_s=timeout_s)

    def _send(
        self,
        task: str,
        message: Strict,
        *,
        queue: str,
        expires_s: float | None = None,
        blobs: Mapping[str, bytes] | None = None,
        **options: Any,
    ) -> str:
        self._check_open()
        with broker_errors(self._check_open):
            # Redis is asked first, because Celery would retry for five seconds and log each attempt; and it is asked
            # for the time, because by a slow clock of this machine every message would have expired on arrival.
            with self._answers.pipeline(transaction=False) as pipe:
                pipe.time()
                for key, blob in (blobs or {}).items():
                    pipe.set(key, blob, px=None if expires_s is None else max(1, int(expires_s * 1000)))
                (now_s, _), *_ = pipe.execute()
            expires = None if expires_s is None else datetime.fromtimestamp(now_s + expires_s, UTC)
            arguments = [message.model_dump(mode="json")]
            with self._producers.acquire(block=True, timeout=POOL_WAIT_S) as producer:  # type: ignore[no-untyped-call]
                sent = self._app.send_task(
                    task,
                    args=arguments,
                    queue=queue,
                    expires=expires,
                    retry=False,
                    producer=producer,
                    # Bound to this app: by itself it belongs to the current app of the process, and builds its backend.
                    result_cls=partial(Answer, app=self._app),
                    **options,
                )
        log.debug("sent task=%s queue=%s id=%s", task, queue, sent.id)
        return str(sent.id)

    def _check_open(self) -> None:
        if self._is_closed:
            raise Closed("The client was closed while this was under way: make another one.")


def fetch_result(result: Answer, *, timeout_s: float, check_open: Callable[[], None]) -> Any:
    """The result as JSON. Raises TimedOut, Unreachable, Closed, or the error of the worker."""
    try:
        with broker_errors(check_open):
            # Searching from inside a task is fine: searches run on workers of their own, so nothing can
            # wait for itself (Celery's rule is about tasks that fill the pool they wait for).
            answer = result.get(timeout=timeout_s, propagate=False, disable_sync_subtasks=False, on_interval=check_open)
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
def broker_errors(check_open: Callable[[], None]) -> Iterator[None]:
    """Raises Unreachable for what the broker's libraries raise while it is down, Closed if we closed them."""
    try:
        yield
    except (OperationalError, LimitExceeded, RedisError, ConnectionError, RuntimeError) as error:
        # Another thread may have closed the connections meanwhile.
        check_open()
        # RuntimeError is what Celery's result backend ends its retries with.
        raise Unreachable(
            f"The broker does not answer ({error}). Start the system with `lookalike up FOLDER`, or check REDIS_URL."
        ) from error
