"""A circuit breaker for the broker. Logs once when the broker becomes unavailable and once when it is back."""

import threading
from collections.abc import Callable

from lookalike.backoff import backoff_s
from lookalike.log import get_logger

log = get_logger(__name__)


class BrokerHealth:
    """The outcome of the last attempts of all threads to use the broker.

    `on_return` is called when the broker answers after an outage: it may have lost messages.
    """

    def __init__(self, on_return: Callable[[], None], now_s: Callable[[], float]) -> None:
        self._on_return = on_return
        self._now_s = now_s
        self._lock = threading.Lock()
        self._attempts = 0
        self._retry_at_s = 0.0
        self._was_available = False

    @property
    def is_unavailable(self) -> bool:
        """Whether the last attempt failed."""
        return self._attempts > 0

    @property
    def is_available(self) -> bool:
        """Whether the last attempt succeeded."""
        return self._was_available and not self.is_unavailable

    def allows_attempt(self) -> bool:
        """Whether the wait after the last failure is over."""
        return not self.is_unavailable or self._now_s() >= self._retry_at_s

    def failed(self, error: Exception) -> None:
        """Records that the broker did not answer."""
        with self._lock:
            if not self.is_unavailable:
                log.warning("broker unavailable, retrying", error=str(error))
            self._attempts += 1
            self._retry_at_s = self._now_s() + backoff_s(self._attempts)

    def succeeded(self) -> None:
        """Records that the broker answered."""
        with self._lock:
            back, self._attempts = self.is_unavailable, 0
            again, self._was_available = back and self._was_available, True
        if back:
            log.info("broker available again")
        if again:
            self._on_return()

    def restarted(self) -> None:
        """Records that the broker was restarted or emptied between two attempts."""
        log.info("broker was restarted or emptied")
        self._on_return()
