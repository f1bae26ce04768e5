"""Verdicts as a client tells and reads them."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from lookalike.client.transports.transport import IndexReader, Transport, tell_verdicts
from lookalike.duplicates.verdict_messages import (
    MAX_NEW_VERDICTS,
    Content,
    NewVerdict,
    ReadVerdicts,
    SideName,
    VerdictMessage,
    VerdictReply,
)
from lookalike.duplicates.verdicts import VERDICTS, PairVerdict, Verdict
from lookalike.errors import Refused

PathGiven = str | os.PathLike[str]


def new_verdict(
    relative: Callable[[PathGiven], str], a: PathGiven, b: PathGiven, verdict: Verdict, better: PathGiven | None
) -> NewVerdict:
    """A verdict on two paths; `relative` makes those of the library. Raises Refused."""
    if verdict not in VERDICTS:
        raise Refused(f"{verdict!r} is no verdict: say one of {', '.join(VERDICTS)}.")
    first, second = relative(a), relative(b)
    if first == second:
        raise Refused(f"{first!r} is one file: name two.")
    side: SideName | None = None
    if better is not None:
        named = relative(better)
        if named not in {first, second}:
            raise Refused(f"{named!r} is none of both: the better one must be.")
        side = "a" if named == first else "b"
    if (side is None) == (verdict == "same"):
        raise Refused("`same` needs to be told which one is better, and no other verdict does.")
    return NewVerdict(a=Content(path=first), b=Content(path=second), verdict=verdict, better=side)


def tell_all(transport: Transport, verdicts: Iterable[NewVerdict], *, timeout_s: float) -> VerdictReply:
    """Tells any number of verdicts, so many at once as a message takes. Raises Refused, Unreachable, TimedOut."""
    recorded = unchanged = 0
    left = iter(verdicts)
    while some := list(islice(left, MAX_NEW_VERDICTS)):
        reply = tell_verdicts(transport, VerdictMessage(verdicts=some), timeout_s=timeout_s)
        recorded, unchanged = recorded + reply.recorded, unchanged + reply.unchanged
    return VerdictReply(recorded=recorded, unchanged=unchanged)


def pages_of(transport: Callable[[], Transport], *, timeout_s: float) -> Iterator[PairVerdict]:
    """All verdicts, a page at a time. Raises Unreachable, TimedOut."""
    after: str | None = None
    while True:
        page = IndexReader(transport()).verdicts(ReadVerdicts(after=after), timeout_s=timeout_s)
        yield from page.verdicts
        after = page.next
        if after is None:
            return
