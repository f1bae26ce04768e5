"""What just happened goes first, a flood goes the way of a scan, and nothing is lost."""

import pytest

from producer.batcher import Batch
from producer.publisher import LivePublisher


class Queue:
    """A lane that is as short as the test wants; it can be away."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.batches: list[Batch] = []
        self.is_away = False

    def room(self) -> int:
        return self.most - len(self.batches)

    def send(self, batch: Batch) -> None:
        if self.is_away:
            raise ConnectionError
        self.batches.append(batch)


def batches(*names: str) -> list[Batch]:
    return [Batch([name], []) for name in names]


def test_what_finds_room_goes_by_the_express_lane() -> None:
    express, bulk = Queue(2), Queue(9)
    outbox = LivePublisher(express, bulk)
    outbox.put(batches("a", "b"))

    outbox.send()

    assert (express.batches, bulk.batches, len(outbox)) == (batches("a", "b"), [], 0)


def test_what_does_not_goes_the_way_of_a_scan_and_stays_there() -> None:
    express, bulk = Queue(1), Queue(1)
    outbox = LivePublisher(express, bulk)
    outbox.put(batches("a", "b", "c"))
    outbox.send()
    assert (express.batches, bulk.batches, len(outbox)) == (batches("a"), batches("b"), 1)

    express.batches.clear()
    outbox.put(batches("new"))
    outbox.send()

    assert (express.batches, bulk.batches, len(outbox)) == (batches("new"), batches("b"), 1)


def test_nothing_is_lost_while_the_broker_is_away() -> None:
    express, bulk = Queue(9), Queue(9)
    outbox = LivePublisher(express, bulk)
    express.is_away = True
    outbox.put(batches("a", "b"))
    with pytest.raises(ConnectionError):
        outbox.send()
    assert len(outbox) == 2

    express.is_away = False
    outbox.send()

    assert (express.batches, len(outbox)) == (batches("a", "b"), 0)
