"""What of the transport in memory no other transport can show: its work runs in the thread that lets it."""

import threading

from lookalike import Client
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
