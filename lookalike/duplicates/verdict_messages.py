"""Messages about verdicts: new ones on pairs, and the pages of those that are kept. Joined by lookalike/messages/."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lookalike.duplicates.verdicts import (
    Contents,
    Instant,
    PairVerdict,
    Verdict,
    Verdicts,
    check_said,
    contents_of,
    words_of,
)
from lookalike.errors import Refused
from lookalike.library.paths import quoted
from lookalike.search.query import RelativePath, Sha256
from lookalike.strict import Strict

# As many as paths of a message.
MAX_NEW_VERDICTS = 1000
MAX_VERDICTS_PAGE = 1000
INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
# Clocks of two machines differ; a verdict of next year would be the newest for a year.
MOST_AHEAD = timedelta(days=1)
SideName = Literal["a", "b"]


class Content(Strict):
    """A picture: its path in the library, or the SHA-256 of its bytes; with both, the path is only its name."""

    path: RelativePath | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if self.path is None and self.sha256 is None:
            raise ValueError("a picture has a `path` or a `sha256`")
        return self


class NewVerdict(Strict):
    """A verdict on two pictures; `better` tells the better one if they are the `same`.

    `at` is when it was given, in UTC, None for now: an older verdict than the one that is known changes nothing.
    """

    a: Content
    b: Content
    verdict: Verdict
    better: SideName | None = None
    at: Instant | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        check_said(self.verdict, has_better=self.better is not None, one_content=False)
        return self

    @classmethod
    def again(cls, verdict: PairVerdict) -> Self:
        """A verdict that was given before, as an import sends it."""
        better: SideName | None = None if verdict.better is None else "a" if verdict.better == verdict.a else "b"
        a, b = (
            Content(path=path, sha256=sha256)
            for path, sha256 in ((verdict.path_a, verdict.a), (verdict.path_b, verdict.b))
        )
        return cls(a=a, b=b, verdict=verdict.verdict, better=better, at=verdict.at)


class VerdictMessage(Strict):
    """Tells verdicts of a person. All are kept, or none if one is at fault."""

    v: Literal[1] = 1
    verdicts: Annotated[list[NewVerdict], Field(min_length=1, max_length=MAX_NEW_VERDICTS)]


class VerdictReply(Strict):
    """How many verdicts were kept, and how many were known already, or were older than that."""

    recorded: int = 0
    unchanged: int = 0


class ReadVerdicts(Strict):
    """Asks for a page of the verdicts, withdrawn ones included; `after` is the `next` of the page before."""

    what: Literal["verdicts"] = "verdicts"
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_VERDICTS_PAGE)] = MAX_VERDICTS_PAGE


class VerdictsReply(Strict):
    """Verdicts; `next` is where the next page begins, None on the last."""

    verdicts: list[PairVerdict]
    next: str | None = None


def paths_of(verdicts: Sequence[NewVerdict]) -> list[str]:
    """The paths whose content has to be looked up."""
    sides = (side for each in verdicts for side in (each.a, each.b))
    return sorted({side.path for side in sides if side.path is not None and side.sha256 is None})


def pairs_of(verdicts: Sequence[NewVerdict], sha256_of: Mapping[str, str]) -> list[Contents]:
    """The contents of each pair; `sha256_of` has those of `paths_of`. Raises Refused for a path that it lacks."""
    return [contents_of(_content(each.a, sha256_of), _content(each.b, sha256_of)) for each in verdicts]


def new_verdicts(
    verdicts: Sequence[NewVerdict], sha256_of: Mapping[str, str], known: Verdicts, now: datetime
) -> list[PairVerdict]:
    """The verdicts that change what is known; `sha256_of` has the contents of `paths_of`.

    A verdict of now is newer than what is known even if the clock was set back. Raises Refused.
    """
    changes = Verdicts()
    for each in verdicts:
        a, b = _content(each.a, sha256_of), _content(each.b, sha256_of)
        before = changes.get(a, b) or known.get(a, b)
        try:
            verdict = _verdict(each, a, b, each.at or _instant_after(before, now))
        except ValueError as error:
            raise Refused(f"This is no verdict: {words_of(error)}.") from None
        if each.at is not None and each.at > instant(now + MOST_AHEAD):
            raise Refused(f"A verdict of {each.at} lies in the future: correct the clock, or its `at`.")
        if _is_news(verdict, before, is_import=each.at is not None):
            changes.add(verdict)
    return list(changes)


def _content(side: Content, sha256_of: Mapping[str, str]) -> str:
    found = side.sha256 or sha256_of.get(side.path or "")
    if found is None:
        raise Refused(f"{quoted(side.path or '')} is not in the index: name two indexed files of the library.")
    return found


def _verdict(new: NewVerdict, a: str, b: str, at: str) -> PairVerdict:
    better = None if new.better is None else {"a": a, "b": b}[new.better]
    first, second = ((a, new.a.path), (b, new.b.path)) if a <= b else ((b, new.b.path), (a, new.a.path))
    return PairVerdict(
        a=first[0], b=second[0], verdict=new.verdict, better=better, at=at, path_a=first[1], path_b=second[1]
    )


def _is_news(verdict: PairVerdict, before: PairVerdict | None, *, is_import: bool) -> bool:
    if is_import:
        return verdict.is_newer(before)
    withdraws_nothing = before is None and verdict.verdict == "none"
    return not withdraws_nothing and not verdict.says_as(before)


def instant(moment: datetime) -> str:
    """A time as verdicts have it."""
    return moment.astimezone(UTC).strftime(INSTANT)


def _instant_after(before: PairVerdict | None, now: datetime) -> str:
    if before is None or instant(now) > before.at:
        return instant(now)
    later = datetime.strptime(before.at, INSTANT).replace(tzinfo=UTC) + timedelta(microseconds=1)
    return instant(later)
