"""The JSON values of Qdrant's answers about collections and aliases, and about writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge import FLUSH_WHEN_IDLE_S

if TYPE_CHECKING:
    from edge.collection import Collection

# Qdrant's defaults, which are the engine's. Clients require them in the answer; we offer no way to change them.
_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, "max_indexing_threads": 0, "on_disk": False}
_OPTIMIZERS = {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0}


def collection_info(collection: Collection, counts: dict[str, Any]) -> dict[str, Any]:
    """Everything that is known of one collection: yellow while its index is built, as Qdrant says."""
    fault = collection.indexing_fault
    return {
        "status": "yellow" if collection.is_indexing else "green",
        "optimizer_status": "ok" if fault is None else {"error": fault},
        **counts,
        "config": {
            "params": {
                "vectors": collection.entry.vectors,
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": _HNSW,
            "optimizer_config": {**_OPTIMIZERS, "flush_interval_sec": int(FLUSH_WHEN_IDLE_S)},
            "wal_config": _WAL,
            "quantization_config": None,
            "metadata": collection.entry.metadata or None,
        },
    }


def aliases(targets: dict[str, str]) -> dict[str, Any]:
    """Aliases, and the collections they point to."""
    return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in targets.items()]}


def update(operation: int, *, wait: bool) -> dict[str, Any]:
    """Done, or, for a caller who does not wait, received."""
    return {"operation_id": operation, "status": "completed" if wait else "acknowledged"}
