"""What people read of a message in Flower."""

import pytest

from lookalike.client.shown import MOST_CHARS, shown
from lookalike.client.transports.transport import Message
from lookalike.messages import (
    DuplicatesMessage,
    ReadCounts,
    ReadKnown,
    ReadMessage,
    ReadPage,
    SearchExample,
    SearchManyMessage,
    SearchMessage,
    SearchQuery,
    SyncMessage,
)
from lookalike.search.query import ImageByPath, ImageInline

KEY = "0" * 8 + "-0000-4000-8000-" + "0" * 12


def like(path: str, weight: float = 1.0) -> SearchExample:
    return SearchExample(image=ImageByPath(path=path), weight=weight)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (SyncMessage(paths=["a.jpg"]), "1 path (a.jpg)"),
        (
            SyncMessage(paths=list("abcd"), gone=["e"], retry_rejected=True),
            "4 paths (a, b, c, …); gone: 1 path (e); rejected ones again",
        ),
        (SyncMessage(left_out=["a"]), "left out: 1 path (a)"),
        (SyncMessage(), "nothing"),
        (SearchMessage(examples=[like("a.jpg")], limit=5), "5 like a.jpg"),
        (
            SearchMessage(examples=[like("a"), like("b", -0.5), like("c"), like("d"), like("e")]),
            "10 like a, unlike b, like c and 2 more",
        ),
        (SearchMessage(examples=[SearchExample(image=ImageInline(base64="AAAA"))]), "10 like an image that was sent"),
        (
            SearchManyMessage(queries=[SearchQuery(examples=[like(name)]) for name in "ab"]),
            "2 queries, the first: 10 like a",
        ),
        (DuplicatesMessage(folder="holiday", since_last=True), "exact same near holiday since the last"),
        (ReadMessage(ask=ReadCounts()), "counts"),
        (ReadMessage(ask=ReadKnown(paths=["a", "b"])), "known 2 paths (a, b)"),
        (ReadMessage(ask=ReadPage(under="holiday", limit=3)), "page limit=3 under=holiday"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_it_names_the_system_how_much_and_the_first(message: Message, line: str) -> None:
    assert shown(message, "lookalike") == f"lookalike: {line}"


def test_long_names_are_cut_off() -> None:
    line = shown(SyncMessage(paths=["x" * 500]), "lookalike")

    assert len(line) == MOST_CHARS
    assert line.endswith("…")
