"""Stop requests by signal. A handler only sets a flag and wakes the waiting thread, which stops things in order."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StopRequest:
    """Whether a stop was requested; the signal itself wakes `wait`.

    A threading.Event must not be set inside a handler, which may have interrupted the very thread that holds the
    Event's lock.
    """

    def __init__(self) -> None:
        self.requested = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def request(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Sets the flag; a signal handler."""
        self.requested = True

    def wait(self, timeout_s: float) -> bool:
        """Waits for a stop request, at most so long; whether there is one."""
        if not self.requested and select.select([self._read], [], [], timeout_s)[0]:
            os.read(self._read, 512)
        return self.requested


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Ctrl-C, SIGTERM and a closed terminal request a stop, however often they come; handlers are restored at the end.

    SIGHUP stays ignored if it is, so that `nohup` works.
    """
    stop = StopRequest()
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    before = {number: signal.signal(number, stop.request) for number in STOP_SIGNALS if number not in ignored}
    woken_before = signal.set_wakeup_fd(stop._write)  # noqa: SLF001
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(stop._read)  # noqa: SLF001
        os.close(stop._write)  # noqa: SLF001
