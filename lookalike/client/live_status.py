"""The status for those who read it for as long as they run: the live line of `up`, and pages that are open."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lookalike.client.index_methods import IndexMethods
from lookalike.client.status import Status, count, read_status
from lookalike.client.transports.transport import Transport
from lookalike.messages import CountsReply
from lookalike.settings import Settings

if TYPE_CHECKING:
    from lookalike.broker.reports import SystemReport
    from lookalike.errors import LookalikeError

# Nothing changes the index without a trace in what the parts report; this is for what we do not think of.
COUNT_AGAIN_S = 1800.0
# Of the time, while something happens all the time: a million images take a large part of a second to count.
COUNTING_SHARE = 0.05


class LiveStatus:
    """Reads the status; has the index counted, which wakes a worker and the store, only when something happened."""

    def __init__(self, settings: Settings, transport: Transport, now_s: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._transport, self._now_s = settings, transport, now_s
        self._traces: SystemReport | None = None
        self._counts: CountsReply | LookalikeError | None = None
        self._counted_s = 0.0
        self._count_took_s = 0.0

    def __call__(self) -> Status:
        """The status. Raises Unreachable if the broker does not answer."""
        report, now_s = self._transport.report(), self._now_s()
        # The watcher proves each minute that it lives, and tells how long that took.
        traces = replace(report, producer=replace(report.producer, lag_s=0.0))
        rested_s = now_s - self._counted_s
        is_wanted = traces != self._traces or rested_s > COUNT_AGAIN_S
        is_bearable = rested_s > self._count_took_s / COUNTING_SHARE
        if not isinstance(self._counts, CountsReply) or (is_wanted and is_bearable):
            self._counts = count(self._transport, report)
            self._traces, self._counted_s = traces, self._now_s()
            self._count_took_s = self._counted_s - now_s
        return read_status(self._settings, self._transport, report, self._counts)


def live_status(client: IndexMethods) -> LiveStatus:
    """That of a client's system."""
    return LiveStatus(client.settings, client._transport())  # noqa: SLF001 (of this package)
