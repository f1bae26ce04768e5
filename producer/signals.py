"""SIGTERM and SIGINT ask the producer to end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Sets `stop` at each of these signals while the block runs.

    A second one changes nothing: ending takes 2 s at most, and `timeout` and terminals like to signal twice.
    """
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
