"""The wait before the next attempt. Independent of what is retried."""

import random
from collections.abc import Callable

FIRST_S = 0.25
CAP_S = 5.0


def backoff_s(attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds after the failed attempt (1, 2, ...): 0.25, 0.5, 1, 2, 4, 5, 5, ..., each less up to a fifth."""
    longest_s = min(CAP_S, FIRST_S * 2 ** min(attempt - 1, 10))
    return uniform(0.8 * longest_s, longest_s)
