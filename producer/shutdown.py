"""Stops the producer: on signals, and in every wait of its threads."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """The producer is ending; nothing is wrong."""


def sleep(stop: threading.Event, seconds: float) -> None:
    """Waits; raises Stopped as soon as the producer ends."""
    if stop.wait(seconds):
        raise Stopped


def check(stop: threading.Event) -> None:
    """Raises Stopped if the producer ends."""
    if stop.is_set():
        raise Stopped


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` on SIGTERM and SIGINT while the block runs.

    A second signal has no effect: the shutdown takes 2 s at most, and `timeout` and terminals often signal twice.
    """
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
