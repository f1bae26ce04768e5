"""The message of a job for duplicates."""

from typing import Annotated, Literal

from pydantic import Field

from lookalike.duplicates.groups import LABELS, Label
from lookalike.search.query import RelativePath
from lookalike.strict import Strict


class DuplicatesMessage(Strict):
    """Asks for groups of files that hold one picture, of these labels: with a file in `folder` or below it, or all.

    `since_last`: only groups with a content that came since the last job.
    """

    v: Literal[1] = 1
    folder: RelativePath | None = None
    since_last: bool = False
    labels: Annotated[list[Label], Field(min_length=1, max_length=len(LABELS))] = Field(
        default_factory=lambda: list(LABELS[:3])
    )


class DuplicatesReply(Strict):
    """How many files there are, contents that were new and compared, groups, and pairs of each label in them.

    `approximate` if the nearest of each were looked for by the store's index, which may miss some. `saved_bytes` are
    those of the files that a plan to keep the best would move; `took_s` seconds the job took.
    """

    files: int
    compared: int
    approximate: bool
    groups: int
    pairs: dict[Label, int]
    saved_bytes: int
    took_s: float
