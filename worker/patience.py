"""How long to wait for what is away. Pure but for the sleep that is passed in."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from lookalike.log import fields
from worker.errors import Away

log = logging.getLogger(__name__)
R = TypeVar("R")

FIRST_S = 0.25
MOST_S = 5.0


def pause_s(attempt: int) -> float:
    """Seconds before attempt 1, 2, ...: 0.25, 0.5, 1, 2, 4, then 5 for ever.

    No jitter: a machine has a handful of workers, and each waits from the moment of its own failure.
    """
    return min(MOST_S, FIRST_S * 2.0 ** min(attempt - 1, 10))


def wait_out(work: Callable[[], R], *, for_s: float, sleep: Callable[[float], None] = time.sleep) -> R:
    """Runs `work` until it is not Away any more; raises its last Away after about `for_s` seconds of waiting.

    The process waits with its task in hand, so while the store is down nothing else is taken from the
    queue, no message piles up anywhere, and the log says so once a try.
    """
    waited_s, attempt = 0.0, 0
    while True:
        try:
            return work()
        except Away as error:
            attempt += 1
            next_s = pause_s(attempt)
            if waited_s + next_s > for_s:
                raise
            log.warning(fields("waiting", why=str(error), next_s=next_s))
            sleep(next_s)
            waited_s += next_s
