"""Puts paths together into batches. Knows no clock and no queue."""

from typing import NamedTuple


class Change(NamedTuple):
    """Paths that must travel in one message: a move's new and old name, or a single path."""

    paths: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class Batch(NamedTuple):
    """What one message says."""

    paths: list[str]
    gone: list[str]

    def __len__(self) -> int:
        return len(self.paths) + len(self.gone)


class Batching:
    """Batches of `batch_paths` paths, or what came together within `batch_wait_s`, whichever is first.

    A change is never split, because the worker copies the vector of a moved file from its old name.
    """

    def __init__(self, batch_paths: int, batch_wait_s: float) -> None:
        self._batch_paths = batch_paths
        self._batch_wait_s = batch_wait_s
        self._paths: dict[str, None] = {}
        self._gone: dict[str, None] = {}
        self._since_s = 0.0

    def __len__(self) -> int:
        return len(self._paths) + len(self._gone)

    def add(self, change: Change, now_s: float) -> list[Batch]:
        """Takes a change; returns the batches that it filled."""
        size = len(change.paths) + len(change.gone)
        full = self.flush() if len(self) and len(self) + size > self._batch_paths else []
        if not len(self):
            self._since_s = now_s
        self._paths.update(dict.fromkeys(change.paths))
        self._gone.update(dict.fromkeys(change.gone))
        return full + self.flush() if len(self) >= self._batch_paths else full

    def due(self, now_s: float) -> list[Batch]:
        """The batch that waited long enough, if there is one."""
        return self.flush() if len(self) and now_s >= self._since_s + self._batch_wait_s else []

    def flush(self) -> list[Batch]:
        """The batch as it is, if there is one."""
        if not len(self):
            return []
        batch = Batch(list(self._paths), list(self._gone))
        self._paths, self._gone = {}, {}
        return [batch]
