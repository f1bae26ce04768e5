"""When the next scan is due. Pure: the clock is passed in.

Events report every change while they are complete, so a scan is a precaution. It reads every folder and looks at every
file, which wakes the disks of a NAS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from lookalike.library.address import BucketAddress
from lookalike.settings import Settings

DAY_S = 24 * 3600.0
# Without LOOKALIKE_RESCAN_S: where events may be missed, and after a scan that found something.
FREQUENT_S = 300.0
# A scan takes a tenth of the time at most.
PAUSE_SHARE = 10.0
# So that many systems of one disk or one house do not begin at once.
JITTER_S = 1800.0
MOST_DOUBLINGS = 9
SPREAD = 0.1


@dataclass(frozen=True)
class Schedule:
    """The settings, and the time of the day in local time. `random` is between 0 and 1."""

    rescan_s: float | None
    scan_at: time | None
    now: Callable[[], datetime]
    random: Callable[[], float]
    # Share of an interval that is added at random, so that many systems do not list one bucket at once.
    spread: float = 0.0

    def pause_s(self, scan_s: float, *, events_are_complete: bool, in_vain: int) -> float:
        """Seconds until the next scan, after one that worked so long.

        `in_vain` scans in a row found something to do although all events had come: files that are tried again, or a
        store that takes nothing. Each waits twice as long as the one before, up to a day.
        """
        if self.rescan_s is not None:
            wait_s = self.rescan_s
        elif not events_are_complete:
            wait_s = FREQUENT_S
        elif in_vain:
            wait_s = min(DAY_S, FREQUENT_S * 2.0 ** min(in_vain - 1, MOST_DOUBLINGS))
        else:
            wait_s = DAY_S if self.scan_at is not None else DAY_S - JITTER_S * self.random()
        wait_s *= 1.0 + self.spread * self.random()
        if self.scan_at is not None:
            wait_s = min(wait_s, self._until_s(self.scan_at) + JITTER_S * self.random())
        return max(wait_s, PAUSE_SHARE * scan_s)

    def _until_s(self, at: time) -> float:
        now = self.now()
        today = datetime.combine(now.date(), at)
        return ((today if today > now else today + timedelta(days=1)) - now).total_seconds()


def schedule_of(settings: Settings, now: Callable[[], datetime], random: Callable[[], float]) -> Schedule:
    """That of the settings. A bucket, which is never watched, is listed once a day if only that time is set."""
    rescan_s, scan_at = settings.rescan_s, settings.scan_at
    if not isinstance(settings.library, BucketAddress):
        return Schedule(rescan_s, scan_at, now, random)
    return Schedule(DAY_S if rescan_s is None and scan_at is not None else rescan_s, scan_at, now, random, SPREAD)
