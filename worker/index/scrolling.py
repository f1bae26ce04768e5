"""Reads all points of a collection that match, a page at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qdrant_client import QdrantClient
from qdrant_client.models import Filter, PayloadSelectorInclude, Record

from worker.index.chunking import PartLimit, read_fewer
from worker.index.qdrant import call_store

R = TypeVar("R")


@dataclass(frozen=True)
class Scroll:
    """How the points of one collection are read. A store that gives fewer at once is asked for fewer from then on."""

    client: QdrantClient
    collection: str
    page_points: int
    limit: PartLimit = field(default_factory=PartLimit)

    def pages(
        self,
        chosen: Filter | None = None,
        *,
        payload: PayloadSelectorInclude | bool = True,
        vectors: list[str] | bool = False,
        around: Callable[[Callable[[], Any]], Any] = lambda ask: ask(),
    ) -> Iterator[list[Record]]:
        """Pages in the order of the ids, with what is asked for of each point; `around` may retry a page.

        What is written or removed meanwhile is met as it is then, or not at all. Raises StoreUnavailable, StoreRefused.
        """
        cursor: Any = None
        while True:

            def ask(limit: int, cursor: Any = cursor) -> tuple[list[Record], Any]:
                return call_store(
                    self.client.scroll,
                    self.collection,
                    scroll_filter=chosen,
                    limit=limit,
                    offset=cursor,
                    with_payload=payload,
                    with_vectors=vectors,
                )

            records, cursor = around(lambda ask=ask: read_fewer(ask, self.page_points, self.limit))  # type: ignore[misc]
            yield records
            if cursor is None:
                return
