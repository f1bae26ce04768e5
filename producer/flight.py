"""Which file versions are on their way to the workers, so that a scan does not send them again. Knows no clock."""

import threading
from collections.abc import Callable

from lookalike.disk import Stamp

# About 25 MB. What is forgotten may be sent twice, which costs a look and no inference.
MOST_PATHS = 100_000
# Longer than any queue of ours takes; a message that was lost must not keep its file out for ever.
LONGEST_S = 1800.0


class InFlight:
    """Files that were enqueued and may not be in the index yet. Several threads use it.

    Forgotten when the queues were seen empty, after `longest_s`, and the oldest first when there are too many.
    """

    def __init__(
        self, now_s: Callable[[], float], *, most_paths: int = MOST_PATHS, longest_s: float = LONGEST_S
    ) -> None:
        self._now_s = now_s
        self._most_paths = most_paths
        self._longest_s = longest_s
        self._lock = threading.Lock()
        # In order of sending: dicts keep it, and a path that is sent again moves to the end.
        self._sent: dict[str, tuple[Stamp, float]] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def sent(self, path: str, stamp: Stamp) -> None:
        """Remembers that this version of the file is on its way."""
        with self._lock:
            self._sent.pop(path, None)
            self._sent[path] = (stamp, self._now_s())
            if len(self._sent) > self._most_paths:
                del self._sent[next(iter(self._sent))]

    def holds(self, path: str, stamp: Stamp) -> bool:
        """Whether this very version is on its way."""
        with self._lock:
            known = self._sent.get(path)
            return known is not None and known[0] == stamp and self._now_s() - known[1] < self._longest_s

    def drained(self, at_s: float) -> None:
        """Forgets what was sent until then: the queues were empty and nobody was at work."""
        with self._lock:
            while self._sent:
                path = next(iter(self._sent))
                if self._sent[path][1] > at_s:
                    return
                del self._sent[path]

    def forget(self) -> None:
        """Forgets everything: the broker was away and may have lost messages."""
        with self._lock:
            self._sent.clear()
