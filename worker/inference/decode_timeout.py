"""Ends this process if one image takes too long; the main process starts another one.

Decoders that hang do so in C, where no exception reaches them and where some keep the interpreter's lock.
faulthandler's timer is a thread that needs neither, and it logs the stack.
"""

import faulthandler
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Arming starts a thread and waits for the one before: 1.6 ms on a busy machine, as much as decoding a small
# photo (2 cores, 2026-11-21). So it is renewed only for images that come this long after the last time.
RENEW_AFTER_S = 1.0


class DecodeTimeout:
    """Allows each image `limit_s` seconds, give or take RENEW_AFTER_S."""

    def __init__(self, limit_s: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._now_s = now_s
        self._armed_at_s = 0.0

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Limits the time of each image while the block runs."""
        self._arm()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def restart(self) -> None:
        """Starts the time of the next image, within the block."""
        if self._now_s() - self._armed_at_s > RENEW_AFTER_S:
            self._arm()

    def _arm(self) -> None:
        faulthandler.dump_traceback_later(self._limit_s, exit=True)
        self._armed_at_s = self._now_s()
