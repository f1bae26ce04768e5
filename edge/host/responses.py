"""Turns what the engine returns into the JSON values of Qdrant's answers. orjson writes the ids, UUIDs included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.host import payload_indexes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qdrant_edge import Record, ScoredPoint, ShardInfo


def records(found: Iterable[Record]) -> list[dict[str, Any]]:
    """Points of a retrieve or a scroll."""
    return [_parts(record) for record in found]


def scored_points(found: Iterable[ScoredPoint]) -> list[dict[str, Any]]:
    """Points of a query, best first."""
    return [{**_parts(point), "version": point.version, "score": point.score} for point in found]


def counts(info: ShardInfo) -> dict[str, Any]:
    """What a shard knows of its size, and its payload indexes."""
    return {
        "indexed_vectors_count": info.indexed_vectors_count,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "payload_schema": payload_indexes.describe(info.payload_schema),
    }


def _parts(point: Record | ScoredPoint) -> dict[str, Any]:
    parts: dict[str, Any] = {"id": point.id, "payload": point.payload, "vector": point.vector}
    if point.order_value is not None:
        parts["order_value"] = point.order_value
    return parts
