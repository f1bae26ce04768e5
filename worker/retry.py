"""How long to wait for what is away. Pure but for the sleep that is passed in."""

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
# A store that asks for more is asked again earlier: a message may not be away from the queue for longer.
LONGEST_ASKED_S = 300.0


def backoff_s(attempt: int, asked_s: float = 0.0) -> float:
    """Seconds before attempt 1, 2, ...: 0.25, 0.5, 1, 2, 4, then 5 for ever; or as many as were asked for, if more.

    No jitter: a machine has a handful of workers, and each waits from the moment of its own failure.
    """
    return max(min(MOST_S, FIRST_S * 2.0 ** min(attempt - 1, 10)), min(asked_s, LONGEST_ASKED_S))


class RetryBudget:
    """The seconds that one task may wait in place, whatever it waits for; `asked_for_s` more if it is asked to.

    The process waits with its task in hand, so while the store is down nothing else is taken from the
    queue, no message piles up anywhere, and the log says so once a try. `tell` is told why and for how long before
    each wait, and None when the wait was of use.
    """

    def __init__(
        self,
        for_s: float,
        *,
        asked_for_s: float = 0.0,
        tell: Callable[[Unavailable | None, float], None] = lambda _why, _for_s: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._left_s = for_s
        self._asked_left_s = asked_for_s
        self._tell = tell
        self._sleep = sleep

    def retry_while_unavailable(self, work: Callable[[], R], *, unless: type[Unavailable] | tuple[()] = ()) -> R:
        """Runs `work` until it is not Away any more; raises its last Away when there is no time left to wait.

        And at once one that is `unless`.
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
                self._tell(error, next_s)
                if not self._may_wait(next_s, is_asked=error.retry_after_s > 0):
                    raise
                log.warning(fields("waiting", why=str(error), next_s=next_s))
                self._sleep(next_s)
            else:
                if attempt:
                    self._tell(None, 0.0)
                return done

    def _may_wait(self, next_s: float, *, is_asked: bool) -> bool:
        if is_asked and next_s <= self._asked_left_s:
            self._asked_left_s -= next_s
        elif next_s <= self._left_s:
            self._left_s -= next_s
        else:
            return False
        return True


class Waits(Protocol):
    """What runs something until it is not Away any more, or there is no time left for it."""

    def __call__(self, work: Callable[[], R]) -> R:
        """What `work` returns. Raises its last Away."""


def without_retry(work: Callable[[], R]) -> R:
    """Waits for nothing."""
    return work()


def retry_while_unavailable(work: Callable[[], R], *, for_s: float, sleep: Callable[[float], None] = time.sleep) -> R:
    """Runs `work` until it is not Away any more; raises its last Away after about `for_s` seconds of waiting."""
    return RetryBudget(for_s, sleep=sleep).retry_while_unavailable(work)
