"""Tells that the machine slept, or that its clock was set: what happened meanwhile may have been missed."""

import time
from collections.abc import Callable

# A clock that is kept by NTP drifts by much less between two looks.
NOTABLE_S = 30.0


def _boot_s() -> float:
    """Seconds since the machine started, those asleep included; where there is no such clock, those awake."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class ClockJumps:
    """Compares three clocks at each look with the look before."""

    def __init__(
        self,
        awake_s: Callable[[], float] = time.monotonic,
        boot_s: Callable[[], float] = _boot_s,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._awake_s, self._boot_s, self._unix_s = awake_s, boot_s, unix_s
        self._before = awake_s(), boot_s(), unix_s()

    def seen(self) -> str:
        """What happened since the last look, in words; empty if nothing."""
        now = self._awake_s(), self._boot_s(), self._unix_s()
        awake_s, boot_s, unix_s = (after - before for after, before in zip(now, self._before, strict=True))
        self._before = now
        if boot_s - awake_s > NOTABLE_S:
            return "the machine was asleep"
        return "the clock was set" if abs(unix_s - boot_s) > NOTABLE_S else ""
