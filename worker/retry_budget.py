"""When to retry what is unavailable, and for how long. Pure but for the sleep that is passed in."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from tenacity import RetryCallState, retry_if_exception
from tenacity import Retrying as Tenacity

from lookalike.backoff import BACKOFF, backoff_s
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger

log = get_logger(__name__)
R = TypeVar("R")

# The longest pause that a store can ask for: a message must not stay out of the queue for longer.
LONGEST_ASKED_S = 300.0


def pause_s(attempt: int, asked_s: float = 0.0) -> float:
    """Seconds before attempt 1, 2, ...: those of lookalike/backoff.py, or as many as the store asked for, if more."""
    return max(backoff_s(attempt), min(asked_s, LONGEST_ASKED_S))


class RetryBudget:
    """The seconds that one task may wait in place, for all its retries; `asked_for_s` more if the store asks for them.

    The process keeps its task meanwhile, so while the store is down no other message is taken from the queue, and each
    retry is logged. `report` gets the cause and the pause before each wait, and None after a retry that succeeded.
    """

    def __init__(
        self,
        for_s: float,
        *,
        asked_for_s: float = 0.0,
        report: Callable[[Unavailable | None, float], None] = lambda _why, _for_s: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._left_s = for_s
        self._asked_left_s = asked_for_s
        self._report = report
        self._sleep = sleep

    def retry_while_unavailable(self, work: Callable[[], R], *, unless: type[Unavailable] | tuple[()] = ()) -> R:
        """Runs `work` until it does not raise Unavailable; raises the last one when the budget is spent.

        An error of the class `unless` is raised without a retry.
        """
        retrying = Tenacity(
            retry=retry_if_exception(lambda error: isinstance(error, Unavailable) and not isinstance(error, unless)),
            wait=lambda state: max(BACKOFF(state), min(_error(state).retry_after_s, LONGEST_ASKED_S)),
            stop=self._is_spent,
            before_sleep=lambda state: log.warning("waiting", why=str(_error(state)), next_s=state.upcoming_sleep),
            sleep=self._sleep,
            reraise=True,
        )
        done = retrying(work)
        if retrying.statistics["attempt_number"] > 1:
            self._report(None, 0.0)
        return done

    def _is_spent(self, state: RetryCallState) -> bool:
        """Takes the next pause from the budget, unless less is left."""
        error, next_s = _error(state), state.upcoming_sleep
        self._report(error, next_s)
        if error.retry_after_s > 0 and next_s <= self._asked_left_s:
            self._asked_left_s -= next_s
        elif next_s <= self._left_s:
            self._left_s -= next_s
        else:
            return True
        return False


def _error(state: RetryCallState) -> Unavailable:
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, Unavailable)  # noqa: S101 (for the type checker: no other is retried)
    return error


class Retrying(Protocol):
    """Runs a function until it does not raise Unavailable, or a budget is spent."""

    def __call__(self, work: Callable[[], R]) -> R:
        """What `work` returns. Raises its last Unavailable."""


def without_retry(work: Callable[[], R]) -> R:
    """Runs `work` once."""
    return work()


def retry_while_unavailable(work: Callable[[], R], *, for_s: float, sleep: Callable[[float], None] = time.sleep) -> R:
    """Runs `work` until it does not raise Unavailable; raises the last one after about `for_s` seconds of waiting."""
    return RetryBudget(for_s, sleep=sleep).retry_while_unavailable(work)
