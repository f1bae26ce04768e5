"""Requests for a scan, from every thread; the scan scheduler takes them."""

import threading

from lookalike.log import get_logger

log = get_logger(__name__)


class ScanRequests:
    """One pending request at most: a scan answers all that came before it."""

    def __init__(self) -> None:
        self._pending = threading.Event()

    @property
    def is_pending(self) -> bool:
        """Whether a scan was requested since the last one began."""
        return self._pending.is_set()

    def request(self, reason: str) -> None:
        """Requests a scan; it begins when the running one has ended."""
        if not self.is_pending:
            log.info("scan requested", reason=reason)
        self._pending.set()

    def wake(self) -> None:
        """Interrupts `wait`, so that the scheduler sees that the producer ends."""
        self._pending.set()

    def take(self) -> None:
        """Takes the request: the scan that answers it begins."""
        self._pending.clear()

    def wait(self, timeout_s: float) -> bool:
        """Waits for a request; whether there is one."""
        return self._pending.wait(timeout_s)
