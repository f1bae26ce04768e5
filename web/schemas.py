"""The answers of the API, where the client has no model of its own for them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lookalike.client.queries.argument_checks import MAX_WAIT_S
from lookalike.client.queries.searches import Answer
from lookalike.client.transports.transport import JobKind, JobState
from lookalike.duplicates.groups import LABELS, Label
from lookalike.duplicates.plan import PlannedGroup
from lookalike.duplicates.verdicts import PairVerdict, Verdict
from lookalike.messages import DuplicatesReply, SyncReply
from lookalike.search.neighbour import Neighbour, Neighbours
from lookalike.search.query import RelativePath

# Of one request; without a list all are tried.
MAX_RETRIED = 1000


class Found(BaseModel):
    """Neighbours, best first; `note` is a sentence if there is nothing, or if it was answered otherwise than asked.

    `error` is of one among many searches that was refused alone.
    """

    neighbours: list[Neighbour]
    note: str | None = None
    error: str | None = None


class JobInfo(BaseModel):
    """A job and how far it is; `progress` is a share from 0 to 1, null where none is told."""

    id: str
    kind: JobKind
    sent_at: datetime
    state: JobState
    progress: float | None = None
    eta_s: float | None = None


class CancelReply(BaseModel):
    """Whether the job is cancelled by now: false if a worker has begun it."""

    id: str
    cancelled: bool


class Answered(BaseModel):
    """The answer of a job: neighbours of a search, a list of those of many, counts of a sync or of duplicates."""

    result: Found | list[Found] | SyncReply | DuplicatesReply


class PauseRequest(BaseModel):
    """For how many seconds; without a number until `resume`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    for_s: Annotated[float, Field(ge=1, le=MAX_WAIT_S)] | None = None


class RetryRequest(BaseModel):
    """Which rejected files; all of them without a list."""

    model_config = ConfigDict(extra="forbid", strict=True)
    paths: Annotated[list[RelativePath], Field(max_length=MAX_RETRIED)] | None = None


class DuplicatesRequest(BaseModel):
    """Where to look for duplicates, and of which labels; all of the library and the surest ones if it says nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)
    folder: RelativePath | None = None
    since_last: bool = False
    labels: Annotated[list[Label], Field(min_length=1, max_length=len(LABELS))] = Field(
        default_factory=lambda: [*LABELS[:3]]
    )


class VerdictRequest(BaseModel):
    """What two files of the library are to each other; `better` is the one of both to keep, of `same` alone."""

    model_config = ConfigDict(extra="forbid", strict=True)
    a: RelativePath
    b: RelativePath
    verdict: Verdict
    better: RelativePath | None = None


class PlanPage(BaseModel):
    """What to keep of some groups, and the verdicts on two contents of one of them.

    `next` is the number of the next page, null on the last one.
    """

    groups: list[PlannedGroup]
    verdicts: list[PairVerdict]
    next: int | None


class Sent(BaseModel):
    """How many files were sent to the workers."""

    sent: int


class Ignored(BaseModel):
    """A file or folder that is left out, and by which rule."""

    path: str
    rule: str


class IgnoredPage(BaseModel):
    """Some of what is left out; `next` is the offset of the rest, null on the last page."""

    ignored: list[Ignored]
    next: int | None


class Uploaded(BaseModel):
    """A file that is in the library now."""

    path: str
    size_bytes: int
    format: str
    width_px: int
    height_px: int


class UploadReply(BaseModel):
    """All files of an upload."""

    files: list[Uploaded]


class Health(BaseModel):
    """`ok` while the gallery answers."""

    status: Literal["ok"] = "ok"


def answer_json(answer: Neighbours | list[Answer] | SyncReply | DuplicatesReply) -> Any:
    """What a job was answered with, as JSON. A search's own way: a thousand neighbours are not validated again."""
    if isinstance(answer, SyncReply | DuplicatesReply):
        return answer.model_dump()
    if isinstance(answer, Neighbours):
        return {"neighbours": [vars(one) for one in answer], "note": answer.note, "error": None}
    return [{**answer_json(one.neighbours), "error": None if one.error is None else str(one.error)} for one in answer]
