"""The one way in which tests and programs of the tests wait: for a condition, with a time by which it must hold."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(
    condition: Callable[[], Found], within_s: float = 30.0, *, told: Callable[[], object] = str, every_s: float = 0.005
) -> Found:
    """The first answer of the condition that is not false. Raises TimeoutError with what `told` says after the time."""
    deadline_s = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not so within {within_s:g} s: {told() or condition}")
        time.sleep(every_s)
    return found
