"""Groups paths into batches. Independent of clock and queue: the caller passes the time."""

from math import inf
from typing import NamedTuple

# The fixed cost of a batch equals that of two small photos.
MIN_PATHS = 8


class Change(NamedTuple):
    """Paths that must travel in one message: a move's new and old name, or a single path."""

    paths: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    # Of the files whose size is known.
    size_bytes: int = 0


class Batch(NamedTuple):
    """The paths of one message."""

    paths: list[str]
    gone: list[str]

    def __len__(self) -> int:
        return len(self.paths) + len(self.gone)


def split_evenly(batch: Batch, processes: int) -> list[Batch]:
    """Splits the last batch among the processes, so that they finish at about the same time.

    Two parts for each process, because images differ. A batch with `gone` paths stays whole: a new path in it may
    copy the vector of an old one.
    """
    parts = 1 if batch.gone else max(1, min(2 * processes, len(batch) // MIN_PATHS))
    return [Batch(batch.paths[part::parts], batch.gone) for part in range(parts)]


class Batcher:
    """Batches of `batch_paths` paths or `batch_bytes` of files, or the paths of `batch_wait_s`.

    Bytes are limited because they predict how long a batch takes, and new files wait for it.
    A change is never split, because the worker copies the vector of a moved file from its old name.
    """

    def __init__(self, batch_paths: int, batch_bytes: int, batch_wait_s: float) -> None:
        self._batch_paths = batch_paths
        self._batch_bytes = batch_bytes
        self._batch_wait_s = batch_wait_s
        self._paths: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._size_bytes = 0
        self._since_s = 0.0
        self._left_s = -inf

    def __len__(self) -> int:
        return len(self._paths) + len(self._gone)

    def add_change(self, change: Change, now_s: float) -> list[Batch]:
        """Adds a change; returns the batches that it filled."""
        paths = len(self) + len(change.paths) + len(change.gone)
        is_too_much = paths > self._batch_paths or self._size_bytes + change.size_bytes > self._batch_bytes
        full = self.flush() if len(self) and is_too_much else []
        if not len(self):
            self._since_s = now_s
        self._paths.update(dict.fromkeys(change.paths))
        self._gone.update(dict.fromkeys(change.gone))
        self._size_bytes += change.size_bytes
        is_full = len(self) >= self._batch_paths or self._size_bytes >= self._batch_bytes
        batches = full + self.flush() if is_full else full
        if batches:
            self._left_s = now_s
        return batches

    def due(self, now_s: float, *, is_calm: bool = False) -> list[Batch]:
        """The batch whose wait is over, if there is one. It waits for company, which in a calm is not to come.

        Paths that are gone wait all the same: their events do not settle, so between two of them it looks calm.
        """
        is_alone = is_calm and not self._gone and now_s >= self._left_s + self._batch_wait_s
        if not len(self) or not (is_alone or now_s >= self._since_s + self._batch_wait_s):
            return []
        self._left_s = now_s
        return self.flush()

    def flush(self) -> list[Batch]:
        """The unfinished batch, if there is one."""
        if not len(self):
            return []
        batch = Batch(list(self._paths), list(self._gone))
        self._paths, self._gone, self._size_bytes = {}, {}, 0
        return [batch]
