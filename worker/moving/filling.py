"""Writes rows into a collection. What is there already stays, so that a fill that was cut off goes on where it was."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lookalike.errors import Refused
from worker.errors import StoreRefused
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.moving.collections import patiently
from worker.moving.rows import Rows

Change = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Filled:
    """Rows that were written, and those that the index had already."""

    written: int = 0
    there: int = 0

    @property
    def done(self) -> int:
        """All rows so far."""
        return self.written + self.there


def fill(
    index: QdrantIndex, pages: Iterable[Rows], tell: Callable[[int], None], change: Change = lambda payload: payload
) -> Filled:
    """Writes what the index lacks; `change` makes the payload that is written.

    An entry of the index is kept: it is at least as new as the row, or the next scan finds that it is not. A rejection
    gives way to a row with vectors. Raises Refused, Unavailable, StoreRefused.
    """
    filled = Filled()
    for rows in pages:
        known = patiently(lambda rows=rows: index.get_files([row.payload["path"] for row in rows]))  # type: ignore[misc]
        missing = [
            PointWrite(change(row.payload), row.vectors)
            for row in rows
            if (file := known.get(row.payload["path"])) is None or (file.status == "rejected" and row.vectors)
        ]
        write(index, missing)
        filled.written += len(missing)
        filled.there += len(rows) - len(missing)
        tell(filled.done)
    return filled


def write(index: QdrantIndex, rows: Rows) -> None:
    """Writes all. Raises Refused for a point that the store refuses even alone."""
    if rows:
        try:
            refused = index.write(rows, patiently)
        except StoreRefused as error:
            raise Refused(f"The store takes none of the points: {error}.") from error
        for row, reason in refused:
            raise Refused(f"The store does not take the point of {row.payload['path']!r}: {reason}.") from reason
