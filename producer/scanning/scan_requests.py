"""Requests for a scan, from every thread; the scan scheduler takes them."""

import threading

from lookalike.log import get_logger

log = get_logger(__name__)


class ScanRequests:
    """One pending request at most: a scan answers all that came before it."""

    def __init__(self) -> None:
        self._pending = threading.Event()
        self._soon = threading.Event()
        # Interrupts `wait`.
        self._news = threading.Event()

    @property
    def is_pending(self) -> bool:
        """Whether a scan was requested since the last one began."""
        return self._pending.is_set()

    def request(self, reason: str) -> None:
        """Requests a scan; it begins when the running one has ended."""
        if not self.is_pending:
            log.info("scan requested", reason=reason)
        self._pending.set()
        self._news.set()

    def request_soon(self, reason: str) -> None:
        """Requests a scan in some minutes: something was left undone that is best tried again then."""
        if not self._soon.is_set():
            log.info("scan requested in some minutes", reason=reason)
        self._soon.set()
        self._news.set()

    def take_soon(self) -> bool:
        """Whether such a request came since the last call."""
        is_set = self._soon.is_set()
        self._soon.clear()
        return is_set

    def wake(self) -> None:
        """Interrupts `wait`, so that the scheduler sees that the producer ends."""
        self._news.set()

    def take(self) -> None:
        """Takes the request: the scan that answers it begins."""
        self._pending.clear()

    def wait(self, timeout_s: float) -> bool:
        """Waits for a request, or another reason to look; whether a scan was requested."""
        self._news.wait(timeout_s)
        self._news.clear()
        return self.is_pending
