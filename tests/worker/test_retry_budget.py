"""worker/retry_budget.py: how long one task waits in place, and how long if it is asked to."""

from collections.abc import Callable

import pytest

from worker.errors import StoreUnavailable
from worker.retry_budget import LONGEST_ASKED_S, RetryBudget, pause_s, retry_while_unavailable


def away(*asked_s: float) -> Callable[[], str]:
    """Is away once for each of these, then there."""
    left = list(asked_s)

    def work() -> str:
        if left:
            raise StoreUnavailable("slower", retry_after_s=left.pop(0))
        return "done"

    return work


def test_a_pause_is_at_least_what_was_asked_for_and_has_an_end() -> None:
    assert 0.25 <= pause_s(1) <= 0.5
    assert [pause_s(1, 7), pause_s(1, 1e9)] == [7, LONGEST_ASKED_S]
    assert pause_s(9, 1) > 4


def test_what_is_asked_for_is_waited_for_before_the_next_try() -> None:
    slept: list[float] = []

    assert retry_while_unavailable(away(7, 0, 3), for_s=20, sleep=slept.append) == "done"
    assert (slept[0], slept[2]) == (7, 3)
    assert 0.5 <= slept[1] < 1


def test_what_is_asked_for_has_a_time_of_its_own() -> None:
    slept: list[float] = []
    patience = RetryBudget(1, asked_for_s=15, sleep=slept.append)

    assert patience.retry_while_unavailable(away(7, 7)) == "done"
    with pytest.raises(StoreUnavailable):
        patience.retry_while_unavailable(away(7))
    assert slept == [7, 7]


def test_one_patience_is_used_up_by_all_that_it_waits_for() -> None:
    slept: list[float] = []
    patience = RetryBudget(4, sleep=slept.append)

    assert patience.retry_while_unavailable(away(0, 0)) == "done"
    assert patience.retry_while_unavailable(away(0, 0)) == "done"
    with pytest.raises(StoreUnavailable):
        patience.retry_while_unavailable(lambda: patience.retry_while_unavailable(away(*[0] * 99)))
    assert 2 <= sum(slept) <= 4


def test_each_reason_to_wait_is_told_and_its_end() -> None:
    told: list[tuple[str, float]] = []

    RetryBudget(
        9, report=lambda why, for_s: told.append((str(why), for_s)), sleep=lambda _: None
    ).retry_while_unavailable(away(0, 7))

    assert [why for why, _ in told] == ["slower", "slower", "None"]
    assert 0.25 <= told[0][1] <= 0.5
    assert [for_s for _, for_s in told[1:]] == [7, 0]
