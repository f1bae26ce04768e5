"""The collection that an index is copied into: made as the copy needs it, and never one of others.

Its alias comes last, when the copy is complete and compared: until then no system finds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from qdrant_client import QdrantClient

from lookalike.errors import CollectionMismatch
from lookalike.search.query import By
from worker.index.collection import create_payload_indexes, promote_collection, require_version
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import QDRANT_DISTANCES
from worker.index.identity import Identity
from worker.index.qdrant import QdrantIndex, call_store
from worker.moving.collections import OwnCollection, alias_target, patiently


@dataclass(frozen=True)
class Target:
    """Where to: the alias `system` of a store, and behind it the collection of this name, made for this identity."""

    client: QdrantClient
    system: str
    name: str
    identity: Identity
    dimensions: Mapping[By, int]
    options: CollectionOptions
    request_bytes: int

    def open(self) -> OwnCollection:
        """The collection, made if it is missing. Raises CollectionMismatch for one that is not this copy's."""
        existing = patiently(lambda: {one.name for one in call_store(self.client.get_collections).collections})
        led_to = alias_target(self.client, self.system)
        if self.system in existing or led_to not in (None, self.name):
            raise CollectionMismatch(
                f"The store has something of the name {self.system!r} already, which leads to "
                f"{led_to or self.system!r}: take another store, or another LOOKALIKE_NAME for one of the two."
            )
        if self.name not in existing:
            patiently(lambda: call_store(self._create))
        found = OwnCollection.named(self.client, self.name)
        if found.identity != self.identity:
            raise CollectionMismatch(
                f"The store has a collection {self.name!r} that was made for something else: remove it there, or take "
                "another store."
            )
        patiently(lambda: call_store(create_payload_indexes, self.client, self.name))
        return found

    @property
    def index(self) -> QdrantIndex:
        """Its points."""
        return QdrantIndex(self.client, self.name, vectors=self.identity.vectors, request_bytes=self.request_bytes)

    def promote(self) -> None:
        """Lets the alias name it."""
        if alias_target(self.client, self.system) is None:
            patiently(lambda: call_store(promote_collection, self.client, self.name, self.system))

    def _create(self) -> None:
        require_version(self.client)
        kept = self.options.arguments(self.dimensions, QDRANT_DISTANCES[self.identity.distance])
        self.client.create_collection(self.name, **kept, metadata=self.identity.metadata())
