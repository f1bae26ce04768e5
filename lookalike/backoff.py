"""The wait before what failed is tried again: one policy for every part, in the terms of tenacity."""

from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

FIRST_S = 0.25
LONGEST_S = 5.0

# 0.25, 0.5, 1, 2, 4, then always 4.75 seconds, each up to a quarter of a second longer: what failed for many workers at
# one moment is not asked by all of them at the next one.
BACKOFF = wait_exponential(multiplier=FIRST_S, max=LONGEST_S - FIRST_S) + wait_random(0, FIRST_S)


def backoff_s(attempt: int) -> float:
    """Seconds after the failed attempt 1, 2, ..., where tenacity does not make the call: Celery retries, a breaker."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return BACKOFF(state)
