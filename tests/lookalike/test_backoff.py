"""The wait before the next attempt grows, has an end, and differs from one process to the next."""

import pytest

from lookalike.backoff import FIRST_S, LONGEST_S, backoff_s


@pytest.mark.parametrize(
    ("attempt", "at_least_s"), [(1, 0.25), (2, 0.5), (3, 1), (4, 2), (5, 4), (6, 4.75), (9999, 4.75)]
)
def test_waits_double_up_to_the_longest(attempt: int, at_least_s: float) -> None:
    waits = [backoff_s(attempt) for _ in range(100)]

    assert all(at_least_s <= wait_s <= min(at_least_s + FIRST_S, LONGEST_S) for wait_s in waits)
    assert len(set(waits)) > 1
