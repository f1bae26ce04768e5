"""The index in Qdrant, in our own words: known files, donors of vectors, upserts, neighbours. No Celery here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar, cast

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse
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
)

from lookalike.messages import FilesReply, KnownFile
from worker.errors import CollectionMissing, StoreAway
from worker.points import VECTOR, Facts, facts_of, point_id

Vector = Sequence[float]
P = ParamSpec("P")
R = TypeVar("R")

KNOWN_FIELDS = PayloadSelectorInclude(include=["path", "status", "size_bytes", "mtime_ns", "ctime_ns", "reason"])
# A content may lie in many places; asking for a few more points than contents finds each of them nearly
# always, and one that is missed costs one inference and nothing else.
COPIES = 8
SERVER_ERROR = 500
NOT_FOUND = 404
# A key that is refused is that of another store,
# which took the port of ours while it was away, or one that is being changed.
PASSING = frozenset({401, 403})
PASSING_GRPC = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)


@dataclass(frozen=True)
class Donor:
    """An indexed image whose vector serves for every copy of its bytes."""

    facts: Facts
    vector: Vector


@dataclass(frozen=True)
class Write:
    """One point to be written; without a vector it is a rejection."""

    payload: Mapping[str, Any]
    vector: Vector | None = None


class Index:
    """One concrete collection. Every method raises StoreAway if Qdrant does not answer."""

    def __init__(self, client: QdrantClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    def known(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """What is known of those of the paths that are in the index."""
        records = answered(
            self._client.retrieve,
            self._collection,
            ids=[point_id(path) for path in paths],
            with_payload=KNOWN_FIELDS,
            with_vectors=False,
        )
        files = [_known(record.payload) for record in records]
        return {file.path: file for file in files}

    def donors(self, contents: Iterable[str]) -> dict[str, Donor]:
        """Vectors that exist already, by SHA-256 of the content."""
        wanted = list(contents)
        if not wanted:
            return {}
        records, _ = answered(
            self._client.scroll,
            self._collection,
            scroll_filter=Filter(
                must=[FieldCondition(key="sha256", match=MatchAny(any=wanted)), _is("status", "indexed")]
            ),
            limit=len(wanted) * COPIES,
            with_payload=True,
            with_vectors=[VECTOR],
        )
        donors = {}
        for record in records:
            vector = _vector(record)
            if record.payload is not None and vector is not None:
                donors[record.payload["sha256"]] = Donor(facts_of(record.payload), vector)
        return donors

    def write(self, writes: Sequence[Write]) -> None:
        """Upserts the batch. Points with and without vectors do not fit into one columnar request."""
        images = [(write.payload, write.vector) for write in writes if write.vector is not None]
        if images:
            batch = Batch(
                ids=[point_id(payload["path"]) for payload, _ in images],
                vectors={VECTOR: [list(vector) for _, vector in images]},
                payloads=[dict(payload) for payload, _ in images],
            )
            answered(self._client.upsert, self._collection, points=batch, wait=True)
        rejections = [
            PointStruct(id=point_id(write.payload["path"]), vector={}, payload=dict(write.payload))
            for write in writes
            if write.vector is None
        ]
        if rejections:
            answered(self._client.upsert, self._collection, points=rejections, wait=True)

    def delete(self, paths: Sequence[str]) -> None:
        """Removes the points of these paths."""
        if paths:
            ids = PointIdsList(points=[point_id(path) for path in paths])
            answered(self._client.delete, self._collection, points_selector=ids, wait=True)

    def vector_of(self, path: str) -> Vector | None:
        """The vector of an indexed image; None if it has none."""
        records = answered(
            self._client.retrieve,
            self._collection,
            ids=[point_id(path)],
            with_payload=False,
            with_vectors=[VECTOR],
        )
        return _vector(records[0]) if records else None

    def nearest(self, vector: Vector, limit: int) -> list[ScoredPoint]:
        """The nearest images, best first, with their payloads."""
        return answered(
            self._client.query_points,
            self._collection,
            query=list(vector),
            using=VECTOR,
            limit=limit,
            with_payload=True,
        ).points

    def count(self, status: Literal["indexed", "rejected"]) -> int:
        """How many files have this status."""
        return answered(
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
        records, cursor = answered(
            self._client.scroll,
            self._collection,
            scroll_filter=Filter(must=must) if must else None,
            limit=limit,
            offset=after,
            with_payload=KNOWN_FIELDS,
            with_vectors=False,
        )
        files = [_known(record.payload) for record in records]
        return FilesReply(files=files, next=None if cursor is None else str(cursor))


def _is(field: str, value: str) -> FieldCondition:
    return FieldCondition(key=field, match=MatchValue(value=value))


def _vector(record: Record) -> Vector | None:
    vector = record.vector.get(VECTOR) if isinstance(record.vector, dict) else None
    # One vector per image: what else Qdrant's types allow here (sparse, several) is never written.
    return cast("Vector | None", vector)


def _known(payload: Mapping[str, Any] | None) -> KnownFile:
    return KnownFile.model_validate(payload)


def answered(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the call to Qdrant returns. Raises StoreAway if Qdrant does not answer, or cannot now."""
    try:
        return call(*args, **kwargs)
    except ResponseHandlingException as error:
        raise StoreAway(f"Qdrant does not answer ({error})") from error
    except UnexpectedResponse as error:
        if error.status_code == NOT_FOUND:
            raise CollectionMissing(f"Qdrant does not have the collection ({error.reason_phrase})") from error
        if error.status_code is None or error.status_code >= SERVER_ERROR or error.status_code in PASSING:
            raise StoreAway(f"Qdrant cannot serve now ({error.reason_phrase})") from error
        raise
    except grpc.RpcError as error:
        # What the channel raises is a Call too, which knows the code; the class itself does not say so.
        code = error.code() if isinstance(error, grpc.Call) else None
        if code is grpc.StatusCode.NOT_FOUND:
            raise CollectionMissing("Qdrant does not have the collection") from error
        if code is not None and code in PASSING_GRPC:
            raise StoreAway(f"Qdrant cannot serve now over gRPC ({code.name})") from error
        raise
