"""Asking to stop by signal. Handlers only leave a mark: whoever waits here is woken and stops in its own order."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class StopRequest:
    """Whether somebody asked; `wait` is woken by the signal itself.

    A threading.Event must not be set inside a handler, which may have interrupted the very thread that holds the
    Event's lock.
    """

    def __init__(self) -> None:
        self.asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Marks that everything should stop."""
        self.asked = True

    def wait(self, timeout_s: float) -> bool:
        """Waits until somebody asks, at most so long; whether somebody did."""
        if not self.asked and select.select([self._read], [], [], timeout_s)[0]:
            os.read(self._read, 512)
        return self.asked


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Ctrl-C, SIGTERM and a closed terminal ask to stop, however often they come; afterwards all is as before.

    SIGHUP stays ignored if it is, so that `nohup` does what its name says.
    """
    stop = StopRequest()
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    before = {number: signal.signal(number, stop.ask) for number in STOP_SIGNALS if number not in ignored}
    woken_before = signal.set_wakeup_fd(stop._write)  # noqa: SLF001
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(stop._read)  # noqa: SLF001
        os.close(stop._write)  # noqa: SLF001
