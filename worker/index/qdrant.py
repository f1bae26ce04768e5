"""The points of the index in Qdrant: known files, reusable vectors, upserts, neighbours. Independent of Celery."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, ParamSpec, TypeVar

from qdrant_client import QdrantClient
from qdrant_client.models import (
    Batch,
    Condition,
    FieldCondition,
    Filter,
    MatchAny,
    MatchValue,
    PayloadSelectorInclude,
    PointIdsList,
    PointStruct,
    Record,
    ScoredPoint,
    SearchParams,
)

from lookalike.messages import FilesReply, KnownFile
from lookalike.search.query import By
from worker.errors import StoreRefused
from worker.index.chunking import PartLimit, read_fewer, read_in_parts, write_in_parts
from worker.index.payload import VECTORS, WITHOUT_SMALL, metadata_of, point_id
from worker.index.points import PointWrite, ReusableVectors, Vector, size_bytes, vector_in
from worker.index.store_errors import STORE_ERRORS, translate_error
from worker.retry_budget import Retrying, without_retry

P = ParamSpec("P")
R = TypeVar("R")

KNOWN_FIELDS = PayloadSelectorInclude(
    include=["path", "status", "version", "size_bytes", "mtime_ns", "reason", "poison"]
)
# A content may lie in many places. A few more points than contents find each of them nearly always, and a
# missed one costs a single inference.
COPIES = 8


@dataclass(frozen=True)
class Handle:
    """What a request to one collection needs."""

    client: QdrantClient
    collection: str
    params: SearchParams | None
    request_bytes: int


class QdrantIndex:
    """One collection. Every method raises StoreUnavailable if Qdrant does not answer, StoreRefused if it refuses.

    `vectors` are those that each indexed point has (worker/index/identity.py). Requests that are too large for the
    store are split, and the size that it accepts is remembered.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        *,
        vectors: Sequence[By] = ("embedding",),
        request_bytes: int = sys.maxsize,
        hnsw_ef: int | None = None,
    ) -> None:
        self._client = client
        self._collection = collection
        self.vectors = tuple(vectors)
        self._search_params = None if hnsw_ef is None else SearchParams(hnsw_ef=hnsw_ef)
        self.handle = Handle(client, collection, self._search_params, request_bytes)
        self._pages, self._ids, self._contents = PartLimit(), PartLimit(), PartLimit()
        self._writes = PartLimit(max_bytes=request_bytes)

    def get_files(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """The entries of those paths that are in the index."""

        def ask(part: Sequence[str]) -> list[Record]:
            ids = [point_id(path) for path in part]
            return call_store(
                self._client.retrieve, self._collection, ids=ids, with_payload=KNOWN_FIELDS, with_vectors=False
            )

        files = [_known(record.payload) for records in read_in_parts(ask, paths, self._ids) for record in records]
        return {file.path: file for file in files}

    def vectors_by_sha256(self, contents: Iterable[str]) -> dict[str, ReusableVectors]:
        """Vectors that exist already, by SHA-256 of the content."""

        def ask(part: Sequence[str]) -> list[Record]:
            if len(part) > 1:
                return self._indexed_with(part, len(part) * COPIES)
            return read_fewer(lambda limit: self._indexed_with(part, limit), COPIES, self._pages)

        found = {}
        for record in chain.from_iterable(read_in_parts(ask, list(contents), self._contents)):
            vectors = {by: vector for by in self.vectors if (vector := vector_in(record, by)) is not None}
            if record.payload is not None and len(vectors) == len(self.vectors):
                found[record.payload["sha256"]] = ReusableVectors(metadata_of(record.payload), vectors)
        return found

    def write(
        self, writes: Sequence[PointWrite], retry_while_unavailable: Retrying = without_retry
    ) -> list[tuple[PointWrite, StoreRefused]]:
        """Upserts the batch; returns what the store refuses even alone. StoreRefused is raised if it refuses all.

        Each part is retried by itself: a batch that started over would never pass a rate limit below its size.
        """
        # Points with and without vectors do not fit into one columnar request.
        images = [write for write in writes if write.vectors is not None]
        rejections = [write for write in writes if write.vectors is None]
        refused = []
        for send, some in ((self._upsert_images, images), (self._upsert_rejections, rejections)):

            def send_with_retry(
                part: Sequence[PointWrite], send: Callable[[Sequence[PointWrite]], None] = send
            ) -> None:
                retry_while_unavailable(lambda: send(part))

            refused += write_in_parts(send_with_retry, some, self._writes, size_bytes)
        return refused

    def delete(self, paths: Sequence[str], retry_while_unavailable: Retrying = without_retry) -> None:
        """Removes the points of these paths."""

        def ask(part: Sequence[str]) -> None:
            ids = PointIdsList(points=[point_id(path) for path in part])
            retry_while_unavailable(
                lambda: call_store(self._client.delete, self._collection, points_selector=ids, wait=True)
            )

        read_in_parts(ask, paths, self._ids)

    def vector_of(self, path: str, by: By = "embedding") -> Vector | None:
        """The vector of an indexed image; None if it has none."""
        return self.vectors_of([path], by).get(path)

    def vectors_of(self, paths: Sequence[str], by: By = "embedding") -> dict[str, Vector]:
        """The vectors of those paths that have one, in one request."""
        records = call_store(
            self._client.retrieve,
            self._collection,
            ids=list({point_id(path) for path in paths}),
            with_payload=False,
            with_vectors=[VECTORS[by]],
        )
        by_id = {str(record.id): vector_in(record, by) for record in records}
        found = {path: by_id.get(point_id(path)) for path in paths}
        return {path: vector for path, vector in found.items() if vector is not None}

    def find_nearest(self, vector: Vector, limit: int, *, by: By = "embedding") -> list[ScoredPoint]:
        """The nearest images, best first, with their payloads; worker/index/searching.py has all other questions."""
        return call_store(
            self._client.query_points,
            self._collection,
            query=list(vector),
            using=VECTORS[by],
            limit=limit,
            search_params=self._search_params,
            with_payload=WITHOUT_SMALL,
        ).points

    def count(self, status: Literal["indexed", "rejected"]) -> int:
        """How many files have this status."""
        return call_store(
            self._client.count, self._collection, count_filter=Filter(must=[_is("status", status)]), exact=True
        ).count

    def page(
        self, *, after: str | None, limit: int, status: Literal["indexed", "rejected"] | None, under: str | None
    ) -> FilesReply:
        """A page of known files in order of point id."""
        must: list[Condition] = []
        if status is not None:
            must.append(_is("status", status))
        if under is not None:
            must.append(_is("folders", under))

        def ask(limit: int) -> tuple[list[Record], Any]:
            return call_store(
                self._client.scroll,
                self._collection,
                scroll_filter=Filter(must=must) if must else None,
                limit=limit,
                offset=after,
                with_payload=KNOWN_FIELDS,
                with_vectors=False,
            )

        records, cursor = read_fewer(ask, limit, self._pages)
        files = [_known(record.payload) for record in records]
        return FilesReply(files=files, next=None if cursor is None else str(cursor))

    def _indexed_with(self, contents: Sequence[str], limit: int) -> list[Record]:
        """Points of images with these contents."""
        wanted = Filter(
            must=[FieldCondition(key="sha256", match=MatchAny(any=list(contents))), _is("status", "indexed")]
        )
        records, _ = call_store(
            self._client.scroll,
            self._collection,
            scroll_filter=wanted,
            limit=limit,
            with_payload=True,
            with_vectors=[VECTORS[by] for by in self.vectors],
        )
        return records

    def _upsert_images(self, writes: Sequence[PointWrite]) -> None:
        batch = Batch(
            ids=[point_id(write.payload["path"]) for write in writes],
            vectors={VECTORS[by]: [list((write.vectors or {})[by]) for write in writes] for by in self.vectors},
            payloads=[dict(write.payload) for write in writes],
        )
        call_store(self._client.upsert, self._collection, points=batch, wait=True)

    def _upsert_rejections(self, writes: Sequence[PointWrite]) -> None:
        points = [
            PointStruct(id=point_id(write.payload["path"]), vector={}, payload=dict(write.payload)) for write in writes
        ]
        call_store(self._client.upsert, self._collection, points=points, wait=True)


def call_store(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of a call to Qdrant. Raises StoreUnavailable if it cannot serve now, StoreRefused if it refuses."""
    try:
        return call(*args, **kwargs)
    except STORE_ERRORS as error:
        raise translate_error(error) from error


def _is(field: str, value: str) -> FieldCondition:
    return FieldCondition(key=field, match=MatchValue(value=value))


def _known(payload: Mapping[str, Any] | None) -> KnownFile:
    return KnownFile.model_validate(payload)
