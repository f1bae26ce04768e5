"""One write: what the engine shall do, and to which points, so that an indexed copy can be told later."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_edge import Filter, UpdateOperation


@dataclass(frozen=True)
class Write:
    """An operation of the engine; the points that it changes are named by id or chosen by a filter."""

    operation: UpdateOperation
    ids: Sequence[Any] = ()
    chosen: Filter | None = None
