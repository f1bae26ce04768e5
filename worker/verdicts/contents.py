"""The content of files by their paths, from the index."""

from collections.abc import Sequence

from qdrant_client.models import PayloadSelectorInclude

from worker.index.payload import point_id
from worker.index.qdrant import Handle, call_store

CONTENT = PayloadSelectorInclude(include=["path", "sha256"])


def sha256_by_path(handle: Handle, paths: Sequence[str]) -> dict[str, str]:
    """SHA-256 of those of at most some thousand paths that are indexed. Raises StoreUnavailable, StoreRefused."""
    records = call_store(
        handle.client.retrieve,
        handle.collection,
        ids=[point_id(path) for path in paths],
        with_payload=CONTENT,
        with_vectors=False,
    )
    payloads = (record.payload or {} for record in records)
    return {payload["path"]: payload["sha256"] for payload in payloads if "sha256" in payload}
