"""Who watches has the index counted when something happened, and then no more than a twentieth of the time."""

from typing import Any

import pytest

from lookalike.client.live_status import COUNT_AGAIN_S, LiveStatus
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport

TAKES_S = 0.5


class Slow(InMemoryTransport):
    """Notes how often it was asked, which takes a while each time."""

    def __init__(self) -> None:
        super().__init__(unix_s=lambda: 1.8e9)
        self.now_s = 1e4
        self.asked = 0

    def answer(self, job: str, *, timeout_s: float) -> Any:
        self.asked += 1
        self.now_s += TAKES_S
        return super().answer(job, timeout_s=timeout_s)


@pytest.fixture
def transport() -> Slow:
    return Slow()


@pytest.fixture
def status(transport: Slow) -> LiveStatus:
    return LiveStatus(read_settings(), transport, lambda: transport.now_s)


def test_it_counts_again_when_something_happened_or_after_long(transport: Slow, status: LiveStatus) -> None:
    assert status().indexed == 0
    transport.now_s += 60
    assert (status().indexed, transport.asked) == (0, 1)

    transport.add("a.jpg", [1.0, 0.0])
    assert (status().indexed, transport.asked) == (1, 2)
    transport.now_s += COUNT_AGAIN_S + 1
    assert (status().indexed, transport.asked) == (1, 3)


def test_a_count_that_takes_long_is_seldom_made_while_all_changes(transport: Slow, status: LiveStatus) -> None:
    begun_s = transport.now_s
    for photo in range(100):
        transport.add(f"{photo}.jpg", [1.0, 0.0])
        status()
        transport.now_s += 0.5

    assert transport.asked * TAKES_S <= 0.06 * (transport.now_s - begun_s)
    transport.now_s += 60
    assert status().indexed == 100
