"""Asks for the status in the background, so that a slow answer holds up neither the screen nor a signal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from redis.exceptions import RedisError

from lookalike.errors import LookalikeError

Answer = TypeVar("Answer")
# Each question is a task: ten seconds between two of them keep Flower's list for what people asked.
SHORTEST_S = 1.0
LONGEST_S = 10.0


class Latest(Generic[Answer]):
    """The last answer of a question that is asked again and again; None before the first."""

    def __init__(self) -> None:
        self.answer: Answer | None = None


@contextmanager
def polled(ask: Callable[[], Answer]) -> Iterator[Latest[Answer]]:
    """Asks until the block ends, after pauses as `next_pause_s` has them; what cannot be had now changes nothing."""
    latest: Latest[Answer] = Latest()
    ended = threading.Event()

    def keep_asking() -> None:
        wait_s = SHORTEST_S
        while not ended.is_set():
            before = latest.answer
            # The parts are starting or restarting; the screen names one that keeps dying.
            with suppress(LookalikeError, RedisError):
                latest.answer = ask()
            wait_s = next_pause_s(wait_s, latest.answer != before)
            ended.wait(wait_s)

    # A daemon: a question that is never answered must not keep `up` from ending.
    threading.Thread(target=keep_asking, daemon=True, name="status").start()
    try:
        yield latest
    finally:
        ended.set()


def next_pause_s(last_s: float, changed: bool) -> float:  # noqa: FBT001 (a fact, not a switch)
    """Waits of 1 s while answers change, else 2, 4, 8 and then 10 s."""
    return SHORTEST_S if changed else min(2 * last_s, LONGEST_S)
