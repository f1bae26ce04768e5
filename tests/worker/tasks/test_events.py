"""What a worker tells on the stream of events, and that nothing waits for it or fails over it."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from lookalike import Misconfigured, Refused
from lookalike.broker.events import Event, EventStream
from lookalike.messages import SyncMessage
from lookalike.redis_keys import Keys
from lookalike.settings import read_settings
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import System

KEYS = Keys("events-alone")


@pytest.fixture
def redis(system: System) -> Iterator[Redis]:
    yield system.redis
    system.redis.delete(KEYS.events)


def told(system: System, after: str) -> list[tuple[str, str, str]]:
    return [(event.event, event.path, event.reason) for event in system.client.events(after, wait_s=20).found]


def test_each_file_is_told_once_the_index_is_written(system: System) -> None:
    begin = system.client.events().next
    assert system.client.events(begin).found == ()
    good, bad = system.path(811, "told.png"), "told-bad.png"
    (system.root / bad).write_bytes(b"nothing")

    system.client.sync([good, bad]).result(timeout_s=20)
    first = system.client.events(begin, wait_s=20)
    system.client.sync([good, bad]).result(timeout_s=20)
    (system.root / good).unlink()
    gone = SyncMessage(paths=[], gone=[good], library="the-library")
    sent = system.client._transport().send(gone)  # noqa: SLF001 (as the producer sends it)
    assert system.client.job(sent.id).result(timeout_s=20).deleted == 1

    assert {(event.event, event.path) for event in first.found} == {("indexed", good), ("rejected", bad)}
    assert [event.reason != "" for event in first.found] == [event.event == "rejected" for event in first.found]
    assert told(system, first.next) == [("removed", good, "")]
    found = {file.path for file in system.client.list()}
    assert good not in found
    assert bad in found


def test_any_program_reads_them(system: System) -> None:
    begin = system.client.events().next
    system.client.sync([system.path(812, "read by any.png")]).result(timeout_s=20)

    entries: Any = system.redis.xrange("lookalike:events", f"({begin}")
    ((_, fields),) = entries

    assert {name.decode() for name in fields} == {"event", "path", "at"}
    assert (fields[b"event"], fields[b"path"]) == (b"indexed", b"read by any.png")


def test_a_stream_that_cannot_be_written_fails_no_sync(system: System) -> None:
    kept = system.redis.dump(system.settings.keys.events)
    system.redis.set(system.settings.keys.events, "of another program")
    try:
        done = system.client.sync([system.path(813, "all the same.png")]).result(timeout_s=20)
    finally:
        system.redis.delete(system.settings.keys.events)
        if kept is not None:
            system.redis.restore(system.settings.keys.events, 0, kept)

    assert done.embedded + done.copied == 1
    wait_until(lambda: "events are not told" in system.worker.said())


def test_only_the_newest_are_kept_and_what_was_missed_is_told(redis: Redis) -> None:
    stream = EventStream(redis, KEYS, most=200)
    events = [Event("indexed", f"{at}.png", "2026-11-29T12:00:00+00:00") for at in range(1000)]
    stream.add(events[:1])
    begin = stream.read(None).next
    assert not stream.read(begin).missed

    stream.add(events[1:])

    assert 200 <= redis.xlen(KEYS.events) < 400
    found = stream.read(begin)
    assert found.missed
    assert [event.path for event in found.found] == [event.path for event in events[-len(found.found) :]]
    assert not stream.read(found.next).missed


def test_a_page_of_many_goes_on_where_it_ended(redis: Redis) -> None:
    stream = EventStream(redis, KEYS, most=5000)
    begin = stream.read(None).next
    stream.add([Event("removed", f"{at}.png", "2026-11-29T12:00:00+00:00") for at in range(1500)])

    first = stream.read(begin)
    second = stream.read(first.next, wait_s=1)

    assert [event.path for event in (*first.found, *second.found)] == [f"{at}.png" for at in range(1500)]


def test_zero_keeps_none_and_foreign_entries_are_passed_over(redis: Redis) -> None:
    EventStream(redis, KEYS, most=0).add([Event("indexed", "a.png", "")])
    assert not redis.exists(KEYS.events)

    redis.xadd(KEYS.events, {"event": "renamed", "path": "a.png"})
    found = EventStream(redis, KEYS).read("0-0")

    assert found.found == ()
    assert found.next != "0-0"


@pytest.mark.parametrize("after", ["", "x", "1", "1-", "-1-0", "1-0-0", "$", "9" * 30 + "-0"])
def test_what_is_no_id_is_refused(system: System, after: str) -> None:
    with pytest.raises(Refused, match="no id of an event"):
        system.client.events(after)


def test_the_bound_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_MAX_EVENTS", "-1")

    with pytest.raises(Misconfigured, match="LOOKALIKE_MAX_EVENTS"):
        read_settings()
