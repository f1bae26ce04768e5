"""Which file versions are on their way to the workers, so that a scan does not send them again. Knows no clock."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from lookalike.library.folder import FileVersion

# 4,600 fit into the queues by default, and 20,000 may wait for room there; 30,000 are 7 MB. What is forgotten may be
# sent twice, which costs a look and no inference.
MOST_PATHS = 30_000
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
        # When each was sent, by the hash of path and version: 64 bits, which no two of so few share. In the order of
        # sending; a plain dict keeps it too, but looks for its first entry past all that were deleted.
        self._sent: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def sent(self, path: str, stamp: FileVersion) -> None:
        """Remembers that this version of the file is on its way."""
        with self._lock:
            self._sent.pop(hash((path, stamp)), None)
            self._sent[hash((path, stamp))] = self._now_s()
            if len(self._sent) > self._most_paths:
                self._sent.popitem(last=False)

    def holds(self, path: str, stamp: FileVersion) -> bool:
        """Whether this very version is on its way."""
        with self._lock:
            sent_s = self._sent.get(hash((path, stamp)))
            return sent_s is not None and self._now_s() - sent_s < self._longest_s

    def drained(self, at_s: float) -> None:
        """Forgets what was sent until then: the queues were empty and nobody was at work."""
        with self._lock:
            while self._sent and next(iter(self._sent.values())) <= at_s:
                self._sent.popitem(last=False)

    def forget(self) -> None:
        """Forgets everything: the broker was away and may have lost messages."""
        with self._lock:
            self._sent.clear()
