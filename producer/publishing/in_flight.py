"""The file versions that were enqueued and may not be indexed yet, so that a scan does not send them again."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from lookalike.library.version import FileVersion

# 4,600 fit into the queues by default, and 20,000 may wait for room there; 30,000 are 7 MB. A version
# that is forgotten may be sent twice, which costs a lookup and no inference.
MAX_PATHS = 30_000
# Longer than any of our queues takes; a lost message must not keep its file out of the index for ever.
LONGEST_S = 1800.0


class InFlight:
    """Files that were enqueued and may not be in the index yet. Several threads use it.

    They are forgotten when the queues were seen empty, after `longest_s`, and oldest first when there are too many.
    """

    def __init__(self, now_s: Callable[[], float], *, max_paths: int = MAX_PATHS, longest_s: float = LONGEST_S) -> None:
        self._now_s = now_s
        self._max_paths = max_paths
        self._longest_s = longest_s
        self._lock = threading.Lock()
        # Time of sending by the hash of path and version: a collision of 64 bits is improbable among so few. Oldest
        # first; a plain dict keeps the order too, but searches its first entry past all the deleted ones.
        self._sent: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def mark_sent(self, path: str, version: FileVersion) -> None:
        """Records that this version of the file was enqueued."""
        with self._lock:
            self._sent.pop(hash((path, version)), None)
            self._sent[hash((path, version))] = self._now_s()
            if len(self._sent) > self._max_paths:
                self._sent.popitem(last=False)

    def contains(self, path: str, version: FileVersion) -> bool:
        """Whether this very version was enqueued and not forgotten."""
        with self._lock:
            sent_s = self._sent.get(hash((path, version)))
            return sent_s is not None and self._now_s() - sent_s < self._longest_s

    def forget_sent_before(self, at_s: float) -> None:
        """Forgets what was sent until then: the queues were empty and no worker was busy."""
        with self._lock:
            while self._sent and next(iter(self._sent.values())) <= at_s:
                self._sent.popitem(last=False)

    def forget_all(self) -> None:
        """Forgets everything: broker or index may have lost messages."""
        with self._lock:
            self._sent.clear()
