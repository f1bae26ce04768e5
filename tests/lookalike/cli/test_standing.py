"""A standing search among new events: what is like the examples, and nothing that was there before."""

from lookalike import Client, Example
from lookalike.broker.events import Event
from lookalike.cli.commands.standing import StandingSearch
from lookalike.search.query import By
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport

BEFORE, NOW = "2026-11-29T12:00:00+00:00", "2026-11-29T12:00:05+00:00"


def by_first_byte(blob: bytes, _box: object) -> list[float]:
    return [1.0, 0.0] if blob[0] == ord("a") else [0.0, 1.0]


def by_last_byte(blob: bytes, _box: object) -> list[float]:
    return [1.0, 0.0] if blob[-1] == ord("z") else [0.0, 1.0]


def found(by: By, *, most: int = 1000) -> list[str]:
    transport = InMemoryTransport(by_first_byte, describe_copy=by_last_byte)
    transport.add("old.jpg", b"a-z", indexed_at=BEFORE)
    for name, blob in (("first.jpg", b"a-y"), ("last.jpg", b"b-z"), ("both.jpg", b"a-z"), ("none.jpg", b"b-y")):
        transport.add(name, blob, indexed_at=NOW)
    # Written in the same second, and told by a later event.
    transport.add("later.jpg", b"a-z", indexed_at=NOW)
    transport.reject("bad.jpg", "it is broken")
    events = [Event("indexed", name, NOW) for name in ("first.jpg", "last.jpg", "both.jpg", "none.jpg", "gone.jpg")]
    client = Client(read_settings(max_limit=most), transport=transport)
    standing = StandingSearch(client, [Example("old.jpg")], [], 0.9, by)

    standing.check()
    assert not [*standing.among([Event("removed", "first.jpg", NOW), Event("rejected", "bad.jpg", NOW)])]
    return sorted(each.path for each in standing.among(events))


def test_it_asks_by_the_embedding_or_by_copy() -> None:
    assert found("embedding") == ["both.jpg", "first.jpg"]
    assert found("copy") == ["both.jpg", "last.jpg"]


def test_it_turns_pages_where_many_are_alike() -> None:
    assert found("embedding", most=1) == ["both.jpg", "first.jpg"]
