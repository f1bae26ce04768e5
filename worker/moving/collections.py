"""The points of a collection as rows, with patience: a store that is started again is waited for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from qdrant_client import QdrantClient
from qdrant_client.models import CollectionInfo, Record

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.search.query import By
from worker.index.identity import Identity
from worker.index.payload import VECTORS
from worker.index.points import PointWrite, vector_in
from worker.index.qdrant import call_store
from worker.index.scrolling import Scroll
from worker.moving.rows import PAGE_ROWS, Rows
from worker.retry_budget import retry_while_unavailable

# A store that died is up again in a second or two; one that was moved or upgraded takes longer.
PATIENCE_S = 60.0
R = TypeVar("R")


def patiently(work: Callable[[], R]) -> R:
    """The result of `work`, tried again while the store does not answer. Raises Unavailable at last, StoreRefused."""
    return retry_while_unavailable(work, for_s=PATIENCE_S)


class OwnCollection:
    """An index of ours at a store: the collection that an alias names, or one by its own name."""

    def __init__(self, client: QdrantClient, name: str, info: CollectionInfo) -> None:
        identity = Identity.from_metadata(info.config.metadata or {})
        if identity is None:
            raise CollectionMismatch(
                f"The collection {name!r} was not made by lookalike: set LOOKALIKE_NAME to the name of an index."
            )
        self.client, self.name, self.identity, self.info = client, name, identity, info
        self._points = Scroll(client, name, PAGE_ROWS)

    @classmethod
    def behind(cls, client: QdrantClient, system: str) -> "OwnCollection":
        """The one that the alias of this system names. Raises Misconfigured, CollectionMismatch, Unavailable."""
        name = alias_target(client, system)
        if name is None:
            raise Misconfigured(
                f"The store has no index with the name {system!r}: set LOOKALIKE_NAME to the one that it has, or let "
                "`lookalike up FOLDER` make one."
            )
        return cls.named(client, name)

    @classmethod
    def named(cls, client: QdrantClient, name: str) -> "OwnCollection":
        """The one of this name, which exists. Raises CollectionMismatch, Unavailable."""
        return cls(client, name, patiently(lambda: call_store(client.get_collection, name)))

    @property
    def dimensions(self) -> Mapping[By, int]:
        """The length of each vector."""
        kept = self.info.config.params.vectors
        sizes = {name: one.size for name, one in kept.items()} if isinstance(kept, dict) else {}
        return {by: sizes[VECTORS[by]] for by in self.identity.vectors}

    def count(self) -> int:
        """How many points there are."""
        return patiently(lambda: call_store(self.client.count, self.name, exact=True).count)

    def pages(self) -> Iterator[Rows]:
        """All points, in pages. What is written or removed meanwhile is met as it is then, or not at all."""
        for records in self.records(with_vectors=True):
            yield [self.row(record) for record in records]

    def row(self, record: Record) -> PointWrite:
        """A point as it is written."""
        found = {by: vector_in(record, by) for by in self.identity.vectors}
        vectors = {by: vector for by, vector in found.items() if vector is not None}
        return PointWrite(record.payload or {}, vectors or None)

    def records(self, *, with_vectors: bool) -> Iterator[Sequence[Record]]:
        """Pages of points with their payloads, in the order of their ids."""
        names = [VECTORS[by] for by in self.identity.vectors]
        return self._points.pages(vectors=names if with_vectors else False, around=patiently)

    def retrieve(self, ids: Sequence[str], *, with_vectors: bool) -> dict[str, Record]:
        """Those of the points that exist, by id, with their payloads."""
        found: dict[str, Record] = {}
        for first in range(0, len(ids), PAGE_ROWS):
            part = list(ids[first : first + PAGE_ROWS])
            records = patiently(
                lambda part=part: call_store(  # type: ignore[misc]
                    self.client.retrieve, self.name, ids=part, with_payload=True, with_vectors=with_vectors
                )
            )
            found |= {str(record.id): record for record in records}
        return found


def alias_target(client: QdrantClient, system: str) -> str | None:
    """The collection that the alias names; None if there is no such alias. Raises Misconfigured, Unavailable."""

    def ask() -> str | None:
        aliases = call_store(client.get_aliases).aliases
        return next((alias.collection_name for alias in aliases if alias.alias_name == system), None)

    return patiently(ask)
