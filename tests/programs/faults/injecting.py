"""One fault at a time: the n-th call of a kind meets an error, and perhaps some calls after it."""

import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """The calls `nth` to `nth + times - 1` of a kind meet an error; the first call is 1."""

    kind: str
    nth: int
    error: str
    times: int = 1

    def __str__(self) -> str:
        last = f" to {self.nth + self.times - 1}" if self.times > 1 else ""
        return f"{self.kind} {self.nth}{last}: {self.error}"


class Injector:
    """Counts the calls of each kind, and tells those that are to fail. Several threads use it."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        # Those that a call met, and how many did.
        self.met: Counter[Fault] = Counter()
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()

    def arm(self, *faults: Fault) -> None:
        """Counts from the beginning, and makes these happen, each of another kind."""
        with self._lock:
            self._faults = {fault.kind: fault for fault in faults}
            self.calls.clear()
            self.met.clear()

    def disarm(self) -> None:
        """The faults are over; what was counted stays."""
        with self._lock:
            self._faults = {}

    def meet(self, kind: str) -> str | None:
        """Counts a call of this kind; the error that it is to meet, or None."""
        with self._lock:
            self.calls[kind] += 1
            fault = self._faults.get(kind)
            if fault is None or not 0 <= self.calls[kind] - fault.nth < fault.times:
                return None
            self.met[fault] += 1
            return fault.error
