"""Celery's consumer, with one difference: what it tells Flower leaves when the task is on its way, not before."""

import time
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

# Celery publishes "received" before it hands the task to its process, and waits for the broker meanwhile: 0.5 ms of
# a search (docs/decisions/0009-speed.md). Flower shows seconds.
TOLD_AFTER_S = 0.1


class Consumer(CeleryConsumer):  # type: ignore[misc]
    """Gathers the events of a tenth of a second, or as many as Celery's buffer takes, into one message."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told_at_s = 0.0

    def on_send_event_buffered(self) -> None:
        """Called by Celery's dispatcher for each event."""
        now_s = time.monotonic()
        # By the clock and not by a flag: a timer that a lost connection took along must not be waited for.
        if self.hub and now_s >= self._told_at_s:
            self._told_at_s = now_s + TOLD_AFTER_S
            self.hub.call_later(TOLD_AFTER_S, self._tell)

    def shutdown(self) -> None:
        """Tells what is left, before the connection is closed."""
        self._tell()
        super().shutdown()

    def _tell(self) -> None:
        if self.event_dispatcher is not None:
            self.event_dispatcher.flush()
