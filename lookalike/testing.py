"""A transport in memory, for tests of programs that search: no broker, no worker, no model.

    transport = InMemoryTransport()
    transport.add("cats/1.jpg", [1.0, 0.0])
    transport.add("dogs/1.jpg", [0.0, 1.0])
    Client(transport=transport).search("cats/1.jpg").result()

It understands the messages of lookalike/messages/ and answers at once; within `held` jobs stay queued, as while all
workers are busy. An image that is sent has a vector made of its bytes, the same bytes the same vector, unless `embed`
says otherwise; without `describe_copy` a search by copy is answered by the embedding, as by a model without that
vector. tests/worker/tasks/transports/ holds it to what the real transport does.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lookalike.broker.events import Events
from lookalike.broker.pause import Pause
from lookalike.broker.reports import ProducerReport, SystemReport
from lookalike.broker.telemetry import BEATING_PARTS
from lookalike.client.memory.events import MemoryEvents
from lookalike.client.memory.index import Embed, MemoryIndex
from lookalike.client.transports.job_records import no_such_job
from lookalike.client.transports.results import CANCELLED, EXPIRED, no_answer, settle
from lookalike.client.transports.transport import UNFOLLOWED, JobState, JobStatus, Message, kind_of
from lookalike.errors import Cancelled, Closed, LookalikeError, Refused, TimedOut


@dataclass
class _Job:
    status: JobStatus
    message: Message
    blobs: Mapping[str, bytes]
    expires_at_s: float
    outcome: Any = None
    futures: list[Future[Any]] = field(default_factory=list)


class InMemoryTransport:
    """A system of one process with an index in memory (client/transports/transport.py says what each method does)."""

    def __init__(
        self,
        embed: Embed | None = None,
        *,
        describe_copy: Embed | None = None,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._index = MemoryIndex(embed, describe_copy)
        self._unix_s = unix_s
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition(threading.RLock())
        self._events = MemoryEvents(self._changed, unix_s)
        self._holding = 0
        self._pause: Pause | None = None
        self._is_closed = False

    def add(self, path: str, image: Sequence[float] | bytes, **payload: Any) -> None:
        """Indexes a file of the library, by its vector or its bytes; `payload` is what a search returns and filters."""
        with self._changed:
            self._index.add(path, image, payload)
            self._events.tell("indexed", path)

    def reject(self, path: str, reason: str) -> None:
        """Records a file that cannot be embedded."""
        with self._changed:
            self._index.reject(path, reason)
            self._events.tell("rejected", path, reason)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block no job is begun; after it those that wait are."""
        with self._changed:
            self._holding += 1
        try:
            yield
        finally:
            with self._changed:
                self._holding -= 1
            self._work()

    def send(
        self,
        message: Message,
        *,
        blobs: Mapping[str, bytes] | None = None,
        expires_s: float | None = None,
        background: bool = False,
    ) -> JobStatus:
        """Sends a job, and answers it unless jobs are held."""
        now_s = self._unix_s()
        sent = JobStatus(str(uuid.uuid4()), kind_of(message), datetime.fromtimestamp(now_s, UTC))
        # What crosses the broker is JSON.
        crossed = type(message).model_validate_json(message.model_dump_json())
        with self._changed:
            self._check_open()
            expires_at_s = float("inf") if expires_s is None else now_s + expires_s
            self._jobs[sent.id] = _Job(sent, crossed, dict(blobs or {}), expires_at_s)
        self._work()
        if background:
            with self._changed:
                self._jobs.pop(sent.id, None)
        return sent

    def answer(self, job: str, *, timeout_s: float) -> Any:
        """The answer, once. Raises TimedOut, Cancelled, Closed, or the error that the job ended with."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._state(job) not in {"queued", "started"}, timeout_s)
            self._check_open()
            if self._state(job) in {None, "queued", "started"}:
                raise no_answer(timeout_s)
            return self._fetch(job)

    def future(self, job: str) -> Future[Any]:
        """The answer when it comes, once; or the error. Raises Closed."""
        future = Future[Any]()
        with self._changed:
            self._check_open()
            if job in self._jobs:
                self._jobs[job].futures.append(future)
                self._settle(job)
        return future

    def job_status(self, job: str) -> JobStatus:
        """How far a search or a sync is. Raises NoSuchJob, Closed."""
        with self._changed:
            self._check_open()
            state = self._state(job)
            if state is None or self._jobs[job].status.kind in UNFOLLOWED:
                raise no_such_job(job)
            return replace(self._jobs[job].status, state=state)

    def cancel(self, job: str) -> bool:
        """Cancels a job that is not begun. Raises NoSuchJob, Closed."""
        with self._changed:
            state = self.job_status(job).state
            if state == "queued":
                self._set(self._jobs[job], "cancelled")
            return state in {"queued", "cancelled"}

    def groups(self, job: str, page: int) -> str | None:  # noqa: ARG002 (the protocol's)
        """None: it finds no duplicates."""
        return None

    def report(self) -> SystemReport:
        """A system at rest."""
        counts = self._index.counts()
        with self._changed:
            self._check_open()
            queued = sum(job.status.kind == "sync" and job.status.state == "queued" for job in self._jobs.values())
            pause = self._pause
        producer = ProducerReport(
            discovered=counts.indexed + counts.rejected, state="watching", scan_ended_at=self._unix_s()
        )
        alive = dict.fromkeys(BEATING_PARTS, 1)
        return SystemReport(producer, alive, queued, 0.0, counts.indexed, "", pause)

    def events(self, after: str | None, *, wait_s: float) -> Events:
        """What was added and rejected since that event."""
        with self._changed:
            self._check_open()
            self._events.wait(after, wait_s, unless=lambda: self._is_closed)
            self._check_open()
            return self._events.read(after)

    def allow_removals(self) -> None:
        """Nothing is scanned here."""
        self._check_open()

    def pause(self, for_s: float | None) -> None:
        """No sync is begun from now on, for so many seconds or until `resume`. Raises Closed."""
        with self._changed:
            self._check_open()
            self._pause = pause = Pause("command", None if for_s is None else self._unix_s() + for_s)
        if for_s is not None:
            end = threading.Timer(for_s, self._end_pause, [pause])
            end.daemon = True
            end.start()

    def resume(self) -> None:
        """Ends such a pause, and begins what waits. Raises Closed."""
        with self._changed:
            self._check_open()
        self._end_pause(self._pause)

    def close(self) -> None:
        """From then on the other methods raise Closed, also in threads that wait."""
        with self._changed:
            self._is_closed = True
            for job in [*self._jobs]:
                self._settle(job)
            self._changed.notify_all()

    def _end_pause(self, pause: Pause | None) -> None:
        """Ends this pause, unless another one replaced it."""
        with self._changed:
            if self._pause is pause:
                self._pause = None
        self._work()

    def _work(self) -> None:
        """Does what is queued, unless jobs are held."""
        while (job := self._begin_next()) is not None:
            state: JobState = "done"
            try:
                job.outcome = self._index.answer(job.message, job.blobs)
            except LookalikeError as error:
                job.outcome, state = error, "failed"
            except Exception as error:  # noqa: BLE001 (the caller's `embed`; as a worker tells it)
                job.outcome, state = Refused(f"The worker failed with {type(error).__name__}: {error}."), "failed"
            with self._changed:
                self._set(job, state)

    def _begin_next(self) -> _Job | None:
        with self._changed:
            resting = {"sync"} if self._pause else set()
            queued = [key for key, job in self._jobs.items() if job.status.kind not in resting]
            queued = [key for key in queued if self._state(key) == "queued"]
            if self._holding or not queued:
                return None
            job = self._jobs[queued[0]]
            self._set(job, "started")
            return job

    def _set(self, job: _Job, state: JobState) -> None:
        job.status = replace(job.status, state=state)
        self._settle(job.status.id)
        self._changed.notify_all()

    def _fetch(self, job: str) -> Any:
        """The answer of a job that is over. Raises its error."""
        match self._state(job):
            case "done":
                return self._jobs.pop(job).outcome
            case "failed":
                raise self._jobs[job].outcome
            case "cancelled":
                raise Cancelled(CANCELLED)
        raise TimedOut(EXPIRED)

    def _settle(self, job: str) -> None:
        """Tells those that wait, if the job is over."""
        futures = self._jobs[job].futures
        if not futures or (not self._is_closed and self._state(job) in {"queued", "started"}):
            return
        try:
            self._check_open()
            outcome = self._fetch(job)
        except LookalikeError as error:
            outcome = error
        for future in futures:
            settle(future, outcome)

    def _state(self, job: str) -> JobState | None:
        found = self._jobs.get(job)
        if found is None:
            return None
        is_late = found.status.state == "queued" and self._unix_s() >= found.expires_at_s
        return "expired" if is_late else found.status.state

    def _check_open(self) -> None:
        if self._is_closed:
            raise Closed("The client was closed while this was under way: make another one.")
