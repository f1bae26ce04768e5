"""What just happened goes first, a flood goes the way of a scan, and nothing is lost."""

import pytest

from producer.publishing.batcher import Batch
from producer.publishing.publisher import LivePublisher


class Queue:
    """A queue that is as short as the test wants; it can be unavailable."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.batches: list[Batch] = []
        self.is_unavailable = False

    def room(self) -> int:
        return self.most - len(self.batches)

    def send_batch(self, batch: Batch) -> None:
        if self.is_unavailable:
            raise ConnectionError
        self.batches.append(batch)


def batches(*names: str) -> list[Batch]:
    return [Batch([name], []) for name in names]


def test_what_finds_room_goes_by_the_express_queue() -> None:
    express, bulk = Queue(2), Queue(9)
    live_publisher = LivePublisher(express, bulk)
    live_publisher.add_batches(batches("a", "b"))

    live_publisher.publish_batches()

    assert (express.batches, bulk.batches, len(live_publisher)) == (batches("a", "b"), [], 0)


def test_what_finds_no_room_goes_to_the_bulk_queue_and_stays_there() -> None:
    express, bulk = Queue(1), Queue(1)
    live_publisher = LivePublisher(express, bulk)
    live_publisher.add_batches(batches("a", "b", "c"))
    live_publisher.publish_batches()
    assert (express.batches, bulk.batches, len(live_publisher)) == (batches("a"), batches("b"), 1)

    express.batches.clear()
    live_publisher.add_batches(batches("new"))
    live_publisher.publish_batches()

    assert (express.batches, bulk.batches, len(live_publisher)) == (batches("new"), batches("b"), 1)


def test_nothing_is_lost_while_the_broker_is_unavailable() -> None:
    express, bulk = Queue(9), Queue(9)
    live_publisher = LivePublisher(express, bulk)
    express.is_unavailable = True
    live_publisher.add_batches(batches("a", "b"))
    with pytest.raises(ConnectionError):
        live_publisher.publish_batches()
    assert len(live_publisher) == 2

    express.is_unavailable = False
    live_publisher.publish_batches()

    assert (express.batches, len(live_publisher)) == (batches("a", "b"), 0)
