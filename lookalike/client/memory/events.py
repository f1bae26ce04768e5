"""Events in memory, for lookalike/testing.py."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from lookalike.broker.events import MAX_READ, Event, EventName, Events
from lookalike.errors import Refused


class MemoryEvents:
    """All events since the start. Each method is called with `changed` held, which is told of every new one."""

    def __init__(self, changed: threading.Condition, unix_s: Callable[[], float]) -> None:
        self._changed = changed
        self._unix_s = unix_s
        self._events: list[Event] = []

    def tell(self, name: EventName, path: str, reason: str = "") -> None:
        """Adds one."""
        now = datetime.fromtimestamp(self._unix_s(), UTC).isoformat(timespec="seconds")
        self._events.append(Event(name, path, now, reason))
        self._changed.notify_all()

    def wait(self, after: str | None, wait_s: float, *, unless: Callable[[], bool]) -> None:
        """Waits so long for one after that, unless this holds. Raises Refused for what is no id."""
        seen = self._seen(after)
        self._changed.wait_for(lambda: unless() or len(self._events) > seen, 0.0 if after is None else wait_s)

    def read(self, after: str | None) -> Events:
        """At most 1,000 after that; none, and where to go on from, if that is None. Raises Refused."""
        seen = self._seen(after)
        found = tuple(self._events[seen : seen + MAX_READ])
        return Events(found, f"{seen + len(found)}-0")

    def _seen(self, after: str | None) -> int:
        if after is None:
            return len(self._events)
        if not re.fullmatch(r"[0-9]{1,20}-[0-9]{1,20}", after):
            raise Refused(f"{after[:40]!r} is no id of an event, such as 3-0.")
        return int(after.partition("-")[0])
