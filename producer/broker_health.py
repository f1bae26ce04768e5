"""Whether the broker can be reached. Says so once when it goes and once when it is back."""

import logging
import threading
from collections.abc import Callable

from lookalike.log import fields
from producer.backoff import backoff_s

log = logging.getLogger(__name__)


class BrokerHealth:
    """What the threads found when they last spoke to the broker.

    `on_return` is called when it answers again after having been away: it may have lost messages.
    """

    def __init__(self, on_return: Callable[[], None], now_s: Callable[[], float]) -> None:
        self._on_return = on_return
        self._now_s = now_s
        self._lock = threading.Lock()
        self._attempts = 0
        self._retry_at_s = 0.0
        self._ever = False

    @property
    def is_away(self) -> bool:
        """Whether the last try failed."""
        return self._attempts > 0

    @property
    def is_there(self) -> bool:
        """Whether the last try worked."""
        return self._ever and not self.is_away

    def allows_attempt(self) -> bool:
        """Whether the wait after the last failure is over."""
        return not self.is_away or self._now_s() >= self._retry_at_s

    def failed(self, error: Exception) -> None:
        """Tells that the broker did not answer."""
        with self._lock:
            if not self.is_away:
                log.warning(fields("broker away, waiting for it", error=str(error)))
            self._attempts += 1
            self._retry_at_s = self._now_s() + backoff_s(self._attempts)

    def succeeded(self) -> None:
        """Tells that the broker answered."""
        with self._lock:
            back, self._attempts = self.is_away, 0
            again, self._ever = back and self._ever, True
        if back:
            log.info("broker back")
        if again:
            self._on_return()

    def restarted(self) -> None:
        """Tells that the broker is another process than before or was emptied, though nobody saw it away."""
        log.info("broker was restarted or emptied")
        self._on_return()
