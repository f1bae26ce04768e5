"""Turns what the engine returns into the JSON values of Qdrant's answers. orjson writes the ids, UUIDs included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge import indexes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qdrant_edge import Record, ScoredPoint, ShardInfo

    from edge.catalogue import Entry

# Qdrant's defaults, which are the engine's. Clients require them in the answer; we offer no way to change them.
_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, "max_indexing_threads": 0, "on_disk": False}
_OPTIMIZERS = {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0}


def records(found: Iterable[Record]) -> list[dict[str, Any]]:
    """Points of a retrieve or a scroll."""
    return [_parts(record) for record in found]


def scored_points(found: Iterable[ScoredPoint]) -> list[dict[str, Any]]:
    """Points of a query, best first."""
    return [{**_parts(point), "version": point.version, "score": point.score} for point in found]


def collection_info(entry: Entry, info: ShardInfo, flush_interval_s: int) -> dict[str, Any]:
    """Everything that is known of one collection."""
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": info.indexed_vectors_count,
        "points_count": info.points_count,
        "segments_count": info.segments_count,
        "config": {
            "params": {
                "vectors": entry.vectors,
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": _HNSW,
            "optimizer_config": {**_OPTIMIZERS, "flush_interval_sec": flush_interval_s},
            "wal_config": _WAL,
            "quantization_config": None,
            "metadata": entry.metadata or None,
        },
        "payload_schema": indexes.describe(info.payload_schema),
    }


def aliases(targets: dict[str, str]) -> dict[str, Any]:
    """Aliases, and the collections they point to."""
    return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in targets.items()]}


def update(operation: int, *, wait: bool) -> dict[str, Any]:
    """Done, or, for a caller who does not wait, received."""
    return {"operation_id": operation, "status": "completed" if wait else "acknowledged"}


def _parts(point: Record | ScoredPoint) -> dict[str, Any]:
    parts: dict[str, Any] = {"id": point.id, "payload": point.payload, "vector": point.vector}
    if point.order_value is not None:
        parts["order_value"] = point.order_value
    return parts
