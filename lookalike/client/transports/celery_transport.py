"""The transport over Celery and Redis: the only way from a client or the producer to the workers."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery
from kombu.pidbox import Mailbox
from kombu.pools import ProducerPool

from lookalike.broker.celery_overrides import POOL_WAIT_S, Answer, BrokerPool
from lookalike.broker.events import Events, EventStream
from lookalike.broker.found_groups import FoundGroups
from lookalike.broker.pause import PauseState
from lookalike.broker.reports import SystemReport
from lookalike.broker.telemetry import Telemetry
from lookalike.broker.traces import Sending, untraced
from lookalike.client.transports.answer_listener import AnswerListener
from lookalike.client.transports.job_records import JobRecords
from lookalike.client.transports.results import CANCELLED, DIED, WorkerDied, broker_errors, fetch_result
from lookalike.client.transports.task_sender import TaskSender
from lookalike.client.transports.transport import IndexReader, JobStatus, Message, kind_of
from lookalike.errors import Cancelled, Closed, LookalikeError, Refused, TimedOut
from lookalike.messages import (
    CountsReply,
    DuplicatesMessage,
    FilesReply,
    ReadPage,
    SyncMessage,
    ThumbnailMessage,
)
from lookalike.redis_keys import Keys

log = logging.getLogger(__name__)

# Far below the time after which a connection counts as dead.
WAIT_STEP_S = 2.0


class CeleryTransport:
    """Sends messages through one Celery app."""

    def __init__(self, app: Celery, keys: Keys, sending: Sending = untraced) -> None:
        self._app = app
        self._keys = keys
        # Not the app's own pool: Celery shares that with every app of this process that has the same broker, and
        # closing it would break theirs.
        limit = app.conf.broker_pool_limit
        connections = BrokerPool(app.connection_for_write(), limit)  # type: ignore[no-untyped-call]
        self._producers = ProducerPool(connections, limit=limit, close_after_fork=False)  # type: ignore[no-untyped-call]
        # Created here: threads that use it first at the same time would each create one, and only one would be closed.
        self._redis = app.backend.client
        self._records = JobRecords(self._redis, keys)
        self._sender = TaskSender(app, keys, self._producers, self._records, sending)
        self._events = EventStream(self._redis, keys)
        self._telemetry = Telemetry(self._redis, keys)
        self._pauses = PauseState(self._redis, keys)
        self._listener = AnswerListener(app, forget=self._forget, orphans=self._orphans, check_open=self._check_open)
        self._is_closed = False

    def close(self) -> None:
        """Closes all connections, also of threads that wait for an answer."""
        self._is_closed = True
        self._producers.force_close_all()  # type: ignore[no-untyped-call]
        self._producers.connections.force_close_all()
        self._app.backend.close()
        self._app.close()
        self._listener.close()

    def send(
        self,
        message: Message,
        *,
        blobs: Mapping[str, bytes] | None = None,
        expires_s: float | None = None,
        background: bool = False,
    ) -> JobStatus:
        """Sends a job to its queue, its images apart from it. Raises Unreachable, Closed."""
        if isinstance(message, SyncMessage):
            queue = self._keys.rescan if background else self._keys.ingest
            with self._broker():
                return self._sender.send("sync", message, queue=queue, expires_s=expires_s, want_result=not background)
        queue = self._keys.search
        if isinstance(message, DuplicatesMessage):
            queue = self._keys.duplicates
        if isinstance(message, ThumbnailMessage):
            queue = self._keys.thumbnails
        with self._broker():
            return self._sender.send(kind_of(message), message, queue=queue, expires_s=expires_s, blobs=blobs)

    def sync(self, message: SyncMessage, *, from_scan: bool = False, want_result: bool = True) -> str:
        """Asks the ingest workers to look at paths; those of a scan queue behind those that just changed.

        Returns the job.
        """
        queue = self._keys.rescan if from_scan else self._keys.ingest
        with self._broker():
            return self._sender.send("sync", message, queue=queue, want_result=want_result).id

    def answer(self, job: str, *, timeout_s: float) -> Any:
        """The answer of a job as JSON, once. Raises TimedOut, Cancelled, Unreachable, Closed, or the worker's error."""
        result = Answer(job, app=self._app)
        try:
            answer = fetch_result(result, timeout_s=timeout_s, check=self._checks_of(job))
        except TimedOut:
            # A worker that comes to a cancelled job when its time is over says that it expired.
            if self._is_cancelled(job):
                raise Cancelled(CANCELLED) from None
            raise
        finally:
            # Otherwise the garbage collector would unsubscribe, perhaps when the broker is gone.
            with suppress(LookalikeError), broker_errors(self._check_open):
                self._app.backend.remove_pending_result(result)
        self._forget([job])
        return answer

    def future(self, job: str) -> Future[Any]:
        """The answer of a job as JSON when it comes, once. Raises Unreachable, Closed."""
        return self._listener.future(job)

    def job_status(self, job: str) -> JobStatus:
        """How far a job is. Raises NoSuchJob, Unreachable, Closed."""
        with self._broker():
            stored = self._redis.get(self._result_key(job))
            return self._records.read(job, None if stored is None else json.loads(stored)["status"])

    def cancel(self, job: str) -> bool:
        """Cancels a job that no worker has begun, or one for duplicates. Raises NoSuchJob, Unreachable, Closed."""
        found = self.job_status(job)
        begun = found.kind == "duplicates" and found.state == "started"
        if found.state not in {"queued", "cancelled"} and not begun:
            return False
        with self._broker():
            if not self._records.cancel(job, begun=begun):
                return False
            # A client that waits for the answer hears of it now, and not when a worker comes to the message.
            self._app.backend.mark_as_revoked(job, "cancelled")
            # A worker that holds the message drops it, and Flower shows it; others find the record when they take it.
            with self._producers.acquire(block=True, timeout=POOL_WAIT_S) as producer:  # type: ignore[no-untyped-call]
                conf = self._app.conf
                mailbox: Any = Mailbox(conf.control_exchange, "fanout", serializer=conf.task_serializer)  # type: ignore[no-untyped-call]
                mailbox(producer.connection).cast(None, "revoke", {"task_id": job, "terminate": False, "signal": None})
        return True

    def groups(self, job: str, page: int) -> str | None:
        """A page of what a job for duplicates found, as JSON. Raises Unreachable, Closed."""
        with self._broker():
            return FoundGroups(self._redis, self._keys).page(job, page)

    def report(self) -> SystemReport:
        """What the parts of the system say of themselves. Raises Unreachable, Closed."""
        with self._broker():
            return self._telemetry.system_report()

    def events(self, after: str | None, *, wait_s: float) -> Events:
        """What became of files since that event. Raises Refused for what is no id, Unreachable, Closed."""
        # Of one request at a time: a connection does not answer meanwhile.
        rest_s = wait_s
        while True:
            step_s = min(rest_s, WAIT_STEP_S)
            with self._broker():
                try:
                    found = self._events.read(after, wait_s=step_s)
                except ValueError as error:
                    raise Refused(f"{error}.") from None
            rest_s -= step_s
            if found.found or after is None or rest_s <= 0:
                return found

    def allow_removals(self) -> None:
        """Lets the next scan remove entries of missing files, however many they are. Raises Unreachable, Closed."""
        with self._broker():
            self._telemetry.allow_removals()

    def pause(self, for_s: float | None) -> None:
        """No sync is begun from now on, for so many seconds or until `resume`. Raises Unreachable, Closed."""
        with self._broker():
            self._pauses.ask(for_s)

    def resume(self) -> None:
        """Ends such a pause. Raises Unreachable, Closed."""
        with self._broker():
            self._pauses.end()

    def counts(self, *, timeout_s: float) -> CountsReply:
        """How much is in the index. Raises Unreachable, TimedOut."""
        return IndexReader(self).counts(timeout_s=timeout_s)

    def page(self, ask: ReadPage, *, timeout_s: float) -> FilesReply:
        """One page of the index. Raises Unreachable, TimedOut, Refused."""
        return IndexReader(self).page(ask, timeout_s=timeout_s)

    def known(self, paths: list[str], *, timeout_s: float) -> FilesReply:
        """What the index knows of these paths. Raises Unreachable, TimedOut, Refused."""
        return IndexReader(self).known(paths, timeout_s=timeout_s)

    def _checks_of(self, job: str) -> Callable[[], None]:
        """To be called while an answer is awaited: raises Closed, and WorkerDied if none will come."""

        def check() -> None:
            self._check_open()
            if self._orphans([job]):
                raise WorkerDied(DIED)

        return check

    def _orphans(self, jobs: Sequence[str]) -> list[str]:
        """Those whose worker died; none while the broker does not answer, which others notice."""
        with suppress(LookalikeError), self._broker():
            return self._records.orphans(jobs, self._result_key)
        return []

    def _forget(self, jobs: Sequence[str]) -> None:
        """Removes jobs whose answers were fetched."""
        with self._broker():
            self._redis.delete(*(key for job in jobs for key in (self._result_key(job), self._keys.job(job))))

    def _is_cancelled(self, job: str) -> bool:
        try:
            return self.job_status(job).state == "cancelled"
        except LookalikeError:
            return False

    def _result_key(self, job: str) -> Any:
        return self._app.backend.get_key_for_task(job)

    @contextmanager
    def _broker(self) -> Iterator[None]:
        """Around calls to the broker: raises Closed and Unreachable."""
        self._check_open()
        with broker_errors(self._check_open):
            yield

    def _check_open(self) -> None:
        if self._is_closed:
            raise Closed("The client was closed while this was under way: make another one.")
