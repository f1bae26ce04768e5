"""What the scans found out about library and index. The scan's thread writes it, all others read it."""

import time
from collections.abc import Callable
from typing import NamedTuple

STARTING, COUNTING, COMPARING, WATCHING, OFFLINE = "starting", "counting", "comparing", "watching", "offline"


class Differences(NamedTuple):
    """What scans found to differ between library and index, in files."""

    changed: int = 0
    moved: int = 0
    removed: int = 0
    left_out: int = 0

    def __add__(self, other: "Differences") -> "Differences":  # type: ignore[override]
        return Differences(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


NO_DIFFERENCES = Differences()


class LibraryState:
    """Each value is replaced as a whole, so readers need no lock."""

    def __init__(self, library_id: str | None = None, unix_s: Callable[[], float] = time.time) -> None:
        # The id of the library in the index; None until it was given or the index answered once.
        self.library_id = library_id
        # Why the library is unavailable; empty if it is available.
        self.offline = ""
        # What a person should know of the last scan.
        self.warning = ""
        # When the last whole scan ended; 0.0 before the first.
        self.ended_at_unix_s = 0.0
        # Of all whole scans since the producer started.
        self.scans = 0
        self.differences = Differences()
        self._given_id = library_id
        self._phase = STARTING
        self._unix_s = unix_s

    def phase(self, *, is_requested: bool) -> str:
        """The state in the report; a requested scan counts as begun."""
        if self.offline:
            return OFFLINE
        return COUNTING if self._phase == WATCHING and is_requested else self._phase

    def enter(self, phase: str) -> None:
        """A scan entered this phase; one that looks whether an offline library is back shows no phase."""
        if not self.offline:
            self._phase = phase

    def answered(self, library_id: str) -> None:
        """The index answered: it is of this library."""
        self.library_id = self._given_id or library_id

    def go_offline(self, reason: str) -> bool:
        """The library is unavailable; whether it was available before."""
        was_available, self.offline = not self.offline, reason
        return was_available

    def scan_ended(self, warning: str, differences: Differences = NO_DIFFERENCES) -> bool:
        """A whole scan ended; whether the library was unavailable before it."""
        was_offline, self.offline = bool(self.offline), ""
        self.warning = warning
        self._phase = WATCHING
        self.scans, self.differences = self.scans + 1, self.differences + differences
        self.ended_at_unix_s = self._unix_s()
        return was_offline
