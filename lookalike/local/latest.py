"""Asks for the status in the background, so that a slow answer holds up neither the screen nor a signal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from redis.exceptions import RedisError

from lookalike.errors import LookalikeError

Answer = TypeVar("Answer")
EVERY_S = 1.0


class Latest(Generic[Answer]):
    """The last answer of a question that is asked again and again; None before the first."""

    def __init__(self) -> None:
        self.answer: Answer | None = None


@contextmanager
def asked_again(ask: Callable[[], Answer], every_s: float = EVERY_S) -> Iterator[Latest[Answer]]:
    """Asks until the block ends; an answer that cannot be had now leaves the last one in place."""
    latest: Latest[Answer] = Latest()
    ended = threading.Event()

    def keep_asking() -> None:
        while not ended.is_set():
            # The parts are starting or restarting; the screen names one that keeps dying.
            with suppress(LookalikeError, RedisError):
                latest.answer = ask()
            ended.wait(every_s)

    # A daemon: a question that is never answered must not keep `up` from ending.
    threading.Thread(target=keep_asking, daemon=True, name="status").start()
    try:
        yield latest
    finally:
        ended.set()
