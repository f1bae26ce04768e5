"""What a job for duplicates reads of the index: the facts of all files, and vector and small picture of contents."""

from base64 import b64decode
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from qdrant_client.models import FieldCondition, Filter, MatchValue, PayloadSelectorInclude, QueryRequest, Record

from lookalike.duplicates.groups import FileFacts
from lookalike.search.query import By
from worker.index.chunking import PartLimit, read_in_parts
from worker.index.payload import SMALL, VECTORS, point_id
from worker.index.points import vector_in
from worker.index.qdrant import QdrantIndex, call_store
from worker.index.scrolling import Scroll

FACTS = PayloadSelectorInclude(include=[*FileFacts.model_fields])
PAGE_POINTS = 1000
# A vector of 256 numbers and a small picture are 9 kB as JSON.
AT_ONCE = 200


class Indexed:
    """Reads one collection. Every method raises StoreUnavailable, StoreRefused."""

    def __init__(self, index: QdrantIndex, by: By) -> None:
        self._client, self._collection = index.handle.client, index.handle.collection
        self._by = by
        self._points = Scroll(self._client, self._collection, PAGE_POINTS)
        self._ids = PartLimit(max_items=AT_ONCE)

    def files(self) -> Iterator[list[FileFacts]]:
        """All indexed files, a page at a time."""
        indexed = Filter(must=[FieldCondition(key="status", match=MatchValue(value="indexed"))])
        for records in self._points.pages(indexed, payload=FACTS):
            yield [FileFacts.model_validate(record.payload) for record in records]

    def contents(self, paths: Sequence[str]) -> list[tuple[str, NDArray[np.float32], bytes]]:
        """SHA-256, vector of norm 1 and small picture (empty in an index of before) of the files that are there."""

        def ask(part: Sequence[str]) -> list[Record]:
            return call_store(
                self._client.retrieve,
                self._collection,
                ids=[point_id(path) for path in part],
                with_payload=PayloadSelectorInclude(include=["sha256", SMALL]),
                with_vectors=[VECTORS[self._by]],
            )

        found = []
        for records in read_in_parts(ask, paths, self._ids):
            for record in records:
                vector, payload = vector_in(record, self._by), record.payload or {}
                if vector is not None and "sha256" in payload:
                    unit = np.asarray(vector, np.float32)
                    unit /= max(1e-12, float(np.linalg.norm(unit)))
                    found.append((payload["sha256"], unit, b64decode(payload.get(SMALL, ""))))
        return found

    def nearest(self, vectors: NDArray[np.float32], limit: int) -> list[list[tuple[str, float]]]:
        """SHA-256 and cosine of the nearest points of each vector, best first, as the store's index finds them."""
        requests = [
            QueryRequest(
                query=vector.tolist(),
                using=VECTORS[self._by],
                limit=limit,
                with_payload=PayloadSelectorInclude(include=["sha256"]),
                with_vector=[VECTORS[self._by]],
            )
            for vector in vectors
        ]
        answers = call_store(self._client.query_batch_points, self._collection, requests=requests)
        found = []
        for vector, answer in zip(vectors, answers, strict=True):
            rows = []
            for point in answer.points:
                other = np.asarray((point.vector or {})[VECTORS[self._by]], np.float32)  # type: ignore[call-overload]
                # The store's own score is that of its distance.
                rows.append(((point.payload or {}).get("sha256", ""), float(vector @ other / np.linalg.norm(other))))
            found.append(rows)
        return found
