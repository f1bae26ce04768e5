"""What is too much goes in smaller parts, which is remembered, and the culprit ends up alone."""

import sys
from collections.abc import Sequence

import pytest

from worker.errors import StoreRefused, StoreUnavailable, TooLarge, TooMany
from worker.index.chunking import PartLimit, read_fewer, read_in_parts, write_in_parts


class Store:
    """Takes so many at once, of so many bytes (an item has as many as its number), and none of the bad ones."""

    def __init__(self, *, max_items: int = sys.maxsize, max_bytes: int = sys.maxsize, bad: Sequence[int] = ()) -> None:
        self.max_items, self.max_bytes, self.bad = max_items, max_bytes, set(bad)
        self.has: list[int] = []
        self.asked = 0

    def take(self, part: Sequence[int]) -> None:
        self.asked += 1
        if len(part) > self.max_items:
            raise TooMany("Limit exceeded")
        if sum(part) > self.max_bytes:
            raise TooLarge("larger than allowed")
        if self.bad & set(part):
            raise StoreRefused("bad")
        self.has += part

    def give(self, limit: int) -> int:
        self.take([0] * limit)
        return limit


def size_of(item: int) -> int:
    return item


def test_a_batch_is_cut_by_bytes_before_it_is_sent() -> None:
    store = Store(max_bytes=10)

    assert write_in_parts(store.take, [4, 4, 4, 9, 1, 1], PartLimit(max_bytes=10), size_of) == []
    assert (store.has, store.asked) == ([4, 4, 4, 9, 1, 1], 4)


@pytest.mark.parametrize("store", [Store(max_items=3), Store(max_bytes=3)])
def test_what_is_too_much_is_halved_and_the_measure_is_remembered(store: Store) -> None:
    limit, items = PartLimit(), [1] * 16

    assert write_in_parts(store.take, items, limit, size_of) == []
    first, store.asked = store.asked, 0
    assert write_in_parts(store.take, items, limit, size_of) == []

    assert len(store.has) == 32
    assert (first, store.asked) == (3 + 8, 8)


def test_one_that_is_refused_alone_is_returned_and_the_others_are_taken() -> None:
    store, limit = Store(bad=[5, 11]), PartLimit()

    refused = write_in_parts(store.take, list(range(16)), limit, size_of)

    assert [(item, str(error)) for item, error in refused] == [(5, "bad"), (11, "bad")]
    assert sorted(store.has) == sorted(set(range(16)) - {5, 11})
    # That one was bad says nothing of how many may come at once.
    assert limit == PartLimit()


def test_one_that_is_too_large_alone_is_returned_and_the_others_are_taken() -> None:
    store = Store(max_bytes=10)

    refused = write_in_parts(store.take, [3, 99, 4], PartLimit(), size_of)

    assert [(item, type(error)) for item, error in refused] == [(99, TooLarge)]
    assert sorted(store.has) == [3, 4]


def test_a_store_that_refuses_everything_is_not_asked_for_each() -> None:
    store = Store(bad=range(1000))

    with pytest.raises(StoreRefused):
        write_in_parts(store.take, list(range(1000)), PartLimit(), size_of)
    assert store.asked < 20


def test_a_store_that_is_away_is_not_asked_in_parts() -> None:
    asked = []

    def take(part: Sequence[int]) -> None:
        asked.append(part)
        raise StoreUnavailable("slower")

    with pytest.raises(StoreUnavailable):
        write_in_parts(take, [1, 2, 3], PartLimit(), size_of)
    with pytest.raises(StoreUnavailable):
        read_in_parts(take, [1, 2, 3], PartLimit())
    assert len(asked) == 2


def test_questions_are_asked_in_parts_and_that_is_remembered() -> None:
    store, limit = Store(max_items=100), PartLimit()

    read_in_parts(store.take, range(1000), limit)
    first, store.asked = store.asked, 0
    read_in_parts(store.take, range(1000), limit)

    assert store.has == [*range(1000), *range(1000)]
    assert (first, store.asked) == (4 + 17, 17)
    assert read_in_parts(store.take, [], limit) == []


def test_fewer_are_asked_for_and_that_is_remembered() -> None:
    store, limit = Store(max_items=100), PartLimit()

    assert read_fewer(store.give, 1000, limit) == 62
    assert read_fewer(store.give, 1000, limit) == 62
    assert read_fewer(store.give, 10, limit) == 10


def test_a_store_that_does_not_even_give_one_says_why() -> None:
    with pytest.raises(TooMany, match="Limit exceeded"):
        read_fewer(Store(max_items=0).give, 1000, PartLimit())
    with pytest.raises(TooMany, match="Limit exceeded"):
        read_in_parts(Store(max_items=0).take, [1, 2], PartLimit())


def test_what_a_store_refuses_for_another_reason_is_not_asked_again() -> None:
    store = Store(bad=[1])

    with pytest.raises(StoreRefused, match="bad"):
        read_in_parts(store.take, [1, 2], PartLimit())
    assert store.asked == 1
