"""Builds the producer's report from what its parts show. Reads only."""

from dataclasses import dataclass
from typing import NamedTuple

from lookalike.broker.reports import ProducerReport
from lookalike.library.paths import escape_path
from lookalike.system.alive_file import BROKER_AWAY, AliveFile
from producer.publishing.publisher import ScanPublisher
from producer.reporter import Reporter
from producer.scanning.file_counter import FileCounter
from producer.scanning.index_client import IndexClient
from producer.scanning.library_state import WATCHING, LibraryState
from producer.scanning.losses import Losses
from producer.scanning.scan_requests import ScanRequests
from producer.watching.following import Following


class Progress(NamedTuple):
    """What the event loop has in hand: paths that settle and settled ones that are not sent.

    And the file that changes for the longest, and for how long the oldest event has waited.
    """

    settling: int
    held: int
    restless: str = ""
    restless_s: float = 0.0
    lag_s: float = 0.0


@dataclass(frozen=True)
class StatusReport:
    """Joins the values of all parts; the reporter writes them."""

    library_state: LibraryState
    scan_requests: ScanRequests
    counter: FileCounter
    watcher: Following
    index: IndexClient
    scan_publisher: ScanPublisher
    losses: Losses
    reporter: Reporter
    # Shows a container's health check that the event loop turns; None where nothing looks.
    alive_file: AliveFile | None
    # As messages have it.
    library: str
    flower_url: str

    def report(self, progress: Progress) -> None:
        """Writes the report if it is due. Called in each turn of the event loop."""
        if self.alive_file is not None:
            self.alive_file.beat(BROKER_AWAY if self.reporter.is_broker_away else "")
        self.reporter.report(self._report(progress))

    def _report(self, progress: Progress) -> ProducerReport:
        count, known = self.counter.latest, self.library_state
        unreadable = (
            f"{count.unreadable} folders cannot be read, the first is {count.first_unreadable!r}: "
            "let the producer's user read them."
            if count.unreadable
            else ""
        )
        offline = f"The library {known.offline}; nothing is removed." if known.offline else ""
        # Read the phase first: a scan hands its files over to settling and held before it reports its end.
        phase, ended_at = known.phase(is_requested=self.scan_requests.is_pending), known.ended_at_unix_s
        held = progress.held + len(self.scan_publisher)
        rebuild = self.losses.rebuild_warning(
            is_at_rest=phase == WATCHING and not held, scan_ended_at_unix_s=known.ended_at_unix_s
        )
        index = self.reporter.trouble or self.index.trouble
        warnings = (offline, index, rebuild, known.warning, self.watcher.warning, unreadable)
        return ProducerReport(
            discovered=count.discovered,
            ignored=count.ignored,
            settling=max(progress.settling, int(self.counter.is_due)),
            held=held,
            state=phase,
            scan_ended_at=ended_at,
            watching=self.watcher.watching,
            restless=escape_path(progress.restless),
            restless_s=progress.restless_s,
            warning=" ".join(filter(None, warnings)),
            library=self.library,
            flower_url=self.flower_url,
            lag_s=max(progress.lag_s, self.watcher.lag_s),
            scans=known.scans,
            scan_changed=known.differences.changed,
            scan_moved=known.differences.moved,
            scan_removed=known.differences.removed,
            scan_left_out=known.differences.left_out,
        )
