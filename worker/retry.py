"""When to retry what is unavailable, and for how long. Pure but for the sleep that is passed in."""

import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from lookalike.log import fields
from worker.errors import Unavailable

log = logging.getLogger(__name__)
R = TypeVar("R")

FIRST_S = 0.25
MOST_S = 5.0
# The longest pause that a store can ask for: a message must not stay out of the queue for longer.
LONGEST_ASKED_S = 300.0


def backoff_s(attempt: int, asked_s: float = 0.0) -> float:
    """Seconds before attempt 1, 2, ...: 0.25, 0.5, 1, 2, 4, then always 5; or as many as the store asked for, if more.

    No jitter: a machine has a handful of workers, and each waits from the moment of its own failure.
    """
    return max(min(MOST_S, FIRST_S * 2.0 ** min(attempt - 1, 10)), min(asked_s, LONGEST_ASKED_S))


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
        attempt = 0
        while True:
            try:
                done = work()
            except Unavailable as error:
                if isinstance(error, unless):
                    raise
                attempt += 1
                next_s = backoff_s(attempt, error.retry_after_s)
                self._report(error, next_s)
                if not self._may_wait(next_s, is_asked=error.retry_after_s > 0):
                    raise
                log.warning(fields("waiting", why=str(error), next_s=next_s))
                self._sleep(next_s)
            else:
                if attempt:
                    self._report(None, 0.0)
                return done

    def _may_wait(self, next_s: float, *, is_asked: bool) -> bool:
        if is_asked and next_s <= self._asked_left_s:
            self._asked_left_s -= next_s
        elif next_s <= self._left_s:
            self._left_s -= next_s
        else:
            return False
        return True


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
