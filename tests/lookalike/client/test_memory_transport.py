"""What of the transport in memory no other transport can show: its work runs in the thread that lets it."""

import threading

import pytest

from lookalike import Client, Refused
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport


def test_a_job_in_memory_that_began_says_so_and_is_not_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def embed(_blob: bytes, _box: object) -> list[float]:
        begun.set()
        go_on.wait(30)
        return [1.0, 0.0]

    transport = InMemoryTransport(embed)
    transport.add("a.jpg", [1.0, 0.0])
    held = transport.held()
    held.__enter__()
    job = Client(read_settings(), transport=transport).search(b"slow")
    worker = threading.Thread(target=held.__exit__, args=(None, None, None))
    worker.start()
    begun.wait(30)

    assert job.status().state == "started"
    assert not job.cancel()
    go_on.set()
    worker.join(30)
    assert [found.path for found in job.result()] == ["a.jpg"]


def test_events_tell_what_was_added_and_a_sample_is_varied() -> None:
    transport = InMemoryTransport()
    client = Client(transport=transport)
    begin = client.events().next
    for at in range(4):
        transport.add(f"{at // 2}/{at}.jpg", [1.0, 0.01 * at] if at < 2 else [0.01 * at, 1.0])
    transport.reject("bad.jpg", "it is broken")

    news = client.events(begin)

    assert [(event.event, event.path, event.reason) for event in news.found] == [
        *(("indexed", f"{at // 2}/{at}.jpg", "") for at in range(4)),
        ("rejected", "bad.jpg", "it is broken"),
    ]
    assert client.events(news.next).found == ()
    with pytest.raises(Refused, match="no id of an event"):
        client.events("yesterday")
    assert {path[0] for path in client.sample(2).paths} == {"0", "1"}
    assert client.sample(5, folder="1").among == 2
