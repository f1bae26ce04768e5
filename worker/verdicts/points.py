"""Verdicts as points of a collection at the store: of a system, whatever library and model its index is of."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import Distance, PointStruct, VectorParams

from lookalike.duplicates.verdict_messages import VerdictsReply
from lookalike.duplicates.verdicts import Contents, PairVerdict, Verdicts
from lookalike.errors import CollectionMismatch
from worker.index.collection_options import STORE_DEFAULTS, CollectionOptions
from worker.index.qdrant import call_store

# Must never change: every id of every verdict is derived from it.
NAMESPACE = UUID("0d0e3a5e-0c2f-5b52-8b0a-2f7c1c5b6d22")
# By which we know our own. The system's name is the owner: an index of two libraries under one name is refused.
METADATA = {"holds": "lookalike verdicts", "form": "1"}
# Most at once; each takes some 300 bytes.
PART = 1000
# The embedded engine wants a vector with a name; no verdict has one.
NO_VECTOR = {"none": VectorParams(size=1, distance=Distance.DOT)}


def verdict_id(contents: Contents) -> str:
    """The id of the verdict about a pair: one pair, one point."""
    return str(uuid5(NAMESPACE, "".join(contents)))


class VerdictPoints:
    """The collection. Every method raises StoreUnavailable, StoreRefused."""

    def __init__(self, client: QdrantClient, system: str, options: CollectionOptions = STORE_DEFAULTS) -> None:
        self._client = client
        self.name = f"{system}-verdicts"
        self._options = options

    def exist(self) -> bool:
        """Whether there is such a collection. Raises CollectionMismatch for one that is not ours."""
        if not call_store(self._client.collection_exists, self.name):
            return False
        found = call_store(self._client.get_collection, self.name).config.metadata
        if found != METADATA:
            raise CollectionMismatch(
                f"The collection {self.name!r} at the store was not made by lookalike for verdicts: "
                "set another LOOKALIKE_NAME."
            )
        return True

    def ensure(self) -> bool:
        """Whether the collection had to be made. Raises CollectionMismatch for one that is not ours."""
        return False if self.exist() else call_store(self._create)

    def read(self) -> Verdicts:
        """All verdicts."""
        verdicts, after = Verdicts(), None
        while True:
            page = self.page(after, PART)
            for verdict in page.verdicts:
                verdicts.add(verdict)
            after = page.next
            if after is None:
                return verdicts

    def page(self, after: str | None, limit: int) -> VerdictsReply:
        """A page in order of ids."""
        records, cursor = call_store(
            self._client.scroll, self.name, limit=limit, offset=after, with_payload=True, with_vectors=False
        )
        found = [PairVerdict.model_validate(record.payload) for record in records]
        return VerdictsReply(verdicts=found, next=None if cursor is None else str(cursor))

    def known(self, pairs: Iterable[Contents]) -> Verdicts:
        """The verdicts about these pairs."""
        records = call_store(
            self._client.retrieve, self.name, ids=[*{verdict_id(pair) for pair in pairs}], with_payload=True
        )
        return Verdicts(PairVerdict.model_validate(record.payload) for record in records)

    def write(self, verdicts: Sequence[PairVerdict]) -> None:
        """Writes verdicts in place of those about the same pairs."""
        for first in range(0, len(verdicts), PART):
            points = [
                PointStruct(id=verdict_id(verdict.contents), vector={}, payload=verdict.model_dump())
                for verdict in verdicts[first : first + PART]
            ]
            call_store(self._client.upsert, self.name, points=points, wait=True)

    def _create(self) -> bool:
        copies = {
            name: value
            for name in ("replication_factor", "write_consistency_factor")
            if (value := getattr(self._options, name)) is not None
        }
        arguments: dict[str, Any] = {"vectors_config": NO_VECTOR, "metadata": METADATA, **copies}
        try:
            self._client.create_collection(self.name, **arguments)
        except (UnexpectedResponse, grpc.RpcError):
            # Another worker was faster.
            if not self._client.collection_exists(self.name):
                raise
        return True
