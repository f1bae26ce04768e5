"""What a client needs of the world: jobs that are sent, answered, followed and cancelled, and what a system reports.

`Client()` talks to the broker (celery_transport.py), `Client(transport=...)` to whatever has these methods:
lookalike/testing.py needs no process. tests/worker/tasks/transports/ holds both to the same promises.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from lookalike.broker.events import Events
from lookalike.broker.reports import SystemReport
from lookalike.messages import (
    CountsReply,
    DuplicatesMessage,
    FilesReply,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    ReadSample,
    ReadVerdicts,
    SampleReply,
    SearchManyMessage,
    SearchMessage,
    SyncMessage,
    ThumbnailMessage,
    VerdictMessage,
    VerdictReply,
    VerdictsReply,
)

JobKind = Literal["search", "search_many", "sync", "read", "verdict", "duplicates", "thumbnail"]
# Those whose sender waits for the answer: nothing else ever asks for them.
UNFOLLOWED: Collection[JobKind] = ("read", "verdict", "thumbnail")
JobState = Literal["queued", "started", "done", "failed", "cancelled", "expired"]
Message = (
    SearchMessage
    | SearchManyMessage
    | SyncMessage
    | ReadMessage
    | VerdictMessage
    | DuplicatesMessage
    | ThumbnailMessage
)
_KINDS: Mapping[type[Message], JobKind] = {
    SearchMessage: "search",
    SearchManyMessage: "search_many",
    SyncMessage: "sync",
    ReadMessage: "read",
    ThumbnailMessage: "thumbnail",
    VerdictMessage: "verdict",
    DuplicatesMessage: "duplicates",
}


@dataclass(frozen=True)
class JobStatus:
    """A job and how far it is.

    `sent_at` is in UTC, by the clock of the broker. `state` is queued until a worker begins, then started, then done or
    failed; one that no worker begins in time is expired, one that was cancelled before is cancelled. `progress` is a
    share from 0 to 1, None for kinds of jobs that tell none, and `eta_s` about how many seconds are left; only jobs for
    duplicates tell them.
    """

    id: str
    kind: JobKind
    sent_at: datetime
    state: JobState = "queued"
    progress: float | None = None
    eta_s: float | None = None


def kind_of(message: Message) -> JobKind:
    """The kind of job that a message is for."""
    return _KINDS[type(message)]


class Transport(Protocol):
    """Carries the jobs of one system. May be used by many threads; every method raises Unreachable and Closed."""

    def send(
        self,
        message: Message,
        *,
        blobs: Mapping[str, bytes] | None = None,
        expires_s: float | None = None,
        background: bool = False,
    ) -> JobStatus:
        """Sends a job; no worker begins it after `expires_s`. `blobs` are the images that the message names by key.

        A sync in the `background` waits behind files that just changed; it has no answer and is not followed.
        """

    def answer(self, job: str, *, timeout_s: float) -> Any:
        """The answer as JSON, once: with it the job is forgotten.

        Raises TimedOut if there is none in time or no worker began before it expired, Cancelled, or the LookalikeError
        that the worker ended with.
        """

    def future(self, job: str) -> Future[Any]:
        """The same for who waits for many jobs at once: no thread waits for each, and a cancelled future waits no more.

        The future has the answer, or the error; that it comes in time is the caller's to see.
        """

    def job_status(self, job: str) -> JobStatus:
        """How far a search or a sync is, sent by any process. Raises NoSuchJob."""

    def cancel(self, job: str) -> bool:
        """Cancels a job that no worker has begun; False if that is too late. Raises NoSuchJob.

        One for duplicates ends also when it is under way, within a second or two.
        """

    def groups(self, job: str, page: int) -> str | None:
        """A page of what a job for duplicates found, as JSON of Groups; None if there is none."""

    def report(self) -> SystemReport:
        """What the parts of the system say of themselves."""

    def events(self, after: str | None, *, wait_s: float) -> Events:
        """What became of files since that event; waits so long for the first. None stands for now. Raises Refused."""

    def allow_removals(self) -> None:
        """Lets the next scan remove entries of missing files, however many they are."""

    def pause(self, for_s: float | None) -> None:
        """No sync is begun from now on, for so many seconds or until `resume`; replaces a pause from before."""

    def resume(self) -> None:
        """Ends such a pause."""

    def close(self) -> None:
        """Ends everything that was opened; from then on the other methods raise Closed."""


class IndexReader:
    """The questions to the index, over any transport. Each raises Unreachable, TimedOut, Refused."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def counts(self, *, timeout_s: float) -> CountsReply:
        """How much is in the index."""
        return CountsReply.model_validate(self._read(ReadCounts(), timeout_s))

    def page(self, ask: ReadPage, *, timeout_s: float) -> FilesReply:
        """One page of the index."""
        return FilesReply.model_validate(self._read(ask, timeout_s))

    def known(self, paths: list[str], *, timeout_s: float) -> FilesReply:
        """What the index knows of these paths."""
        return FilesReply.model_validate(self._read(ReadKnown(paths=paths), timeout_s))

    def sample(self, ask: ReadSample, *, timeout_s: float) -> SampleReply:
        """A varied few of the index."""
        return SampleReply.model_validate(self._read(ask, timeout_s))

    def verdicts(self, ask: ReadVerdicts, *, timeout_s: float) -> VerdictsReply:
        """One page of the verdicts on pairs."""
        return VerdictsReply.model_validate(self._read(ask, timeout_s))

    def _read(self, ask: ReadCounts | ReadPage | ReadKnown | ReadSample | ReadVerdicts, timeout_s: float) -> Any:
        return answered(self._transport, ReadMessage(ask=ask), timeout_s)


def answered(transport: Transport, message: Message, timeout_s: float) -> Any:
    """The answer to a message as JSON, waited for."""
    sent = transport.send(message, expires_s=timeout_s)
    return transport.answer(sent.id, timeout_s=timeout_s)


def tell_verdicts(transport: Transport, message: VerdictMessage, *, timeout_s: float) -> VerdictReply:
    """Tells verdicts and waits until they are kept. Raises Unreachable, TimedOut, Refused."""
    return VerdictReply.model_validate(answered(transport, message, timeout_s))
