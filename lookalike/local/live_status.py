"""The status for the live line of `up`, which is read for as long as the system runs."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lookalike.client.status import Status, read_status
from lookalike.client.transports.transport import Transport
from lookalike.settings import Settings

if TYPE_CHECKING:
    from lookalike.broker.telemetry import SystemReport

# Nothing changes the index without a trace in what the parts report; this is for what we do not think of.
COUNT_AGAIN_S = 1800.0


class LiveStatus:
    """Reads the status; has the index counted, which wakes a worker and the store, only when something happened."""

    def __init__(self, settings: Settings, transport: Transport, now_s: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._transport, self._now_s = settings, transport, now_s
        self._report: SystemReport | None = None
        self._status: Status | None = None
        self._counted_s = 0.0

    def __call__(self) -> Status:
        """The status. Raises Unreachable if the broker does not answer."""
        report, now_s = self._transport.report(), self._now_s()
        known = self._status
        if known is None or known.indexed is None or report != self._report or now_s - self._counted_s > COUNT_AGAIN_S:
            known = read_status(self._settings, self._transport, report)
            self._report, self._status, self._counted_s = report, known, now_s
        return known
