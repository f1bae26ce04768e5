"""What follows when broker, store or index may have lost something: a scan, and no trust in what is in flight."""

import time
from collections.abc import Callable

from lookalike.broker.index_state import IndexReport
from producer.publishing.in_flight import InFlight
from producer.scanning.scan_requests import ScanRequests

INDEX_REBUILT = "The store had lost the index, which is being made anew: every image is embedded again."


class Losses:
    """Told by the part that notices a loss, in any thread."""

    def __init__(
        self, in_flight: InFlight, scan_requests: ScanRequests, unix_s: Callable[[], float] = time.time
    ) -> None:
        self._in_flight = in_flight
        self._scan_requests = scan_requests
        self._unix_s = unix_s
        # When the index began to be rebuilt; 0.0 once that is done.
        self._rebuilt_at_unix_s = 0.0

    def broker_returned(self) -> None:
        """The broker answers after an outage, or was restarted."""
        self._in_flight.forget_all()
        self._scan_requests.request("broker was unavailable")

    def store_returned(self) -> None:
        """The index answers after broker or store were unreachable."""
        self._scan_requests.request("broker or store was unavailable")

    def index_changed(self, report: IndexReport) -> None:
        """The index was made again or may have lost entries: what is in flight may have been written to a lost one."""
        self._in_flight.forget_all()
        if report.is_recreated:
            self._rebuilt_at_unix_s = self._unix_s()
        self._scan_requests.request(report.why)

    def rebuild_warning(self, *, is_at_rest: bool, scan_ended_at_unix_s: float) -> str:
        """A sentence while the index is being rebuilt; else empty."""
        if is_at_rest and scan_ended_at_unix_s > self._rebuilt_at_unix_s and not len(self._in_flight):
            self._rebuilt_at_unix_s = 0.0
        return INDEX_REBUILT if self._rebuilt_at_unix_s else ""
