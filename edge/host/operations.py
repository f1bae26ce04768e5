"""The operations of a shard by name: from the parsed body of a request to the `result` of its response."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qdrant_edge import QueryBatchRequest

from edge.catalogue import VectorSetting
from edge.errors import NotFound
from edge.host import payload_indexes, points, queries, responses
from edge.host.mapped import release_mapped
from edge.host.points import Write
from edge.host.shard import OpenShard


class Shards:
    """The shards that a host has open, by folder."""

    def __init__(self, flush_when_idle_s: float) -> None:
        self._open: dict[str, OpenShard] = {}
        self._flush_when_idle_s = flush_when_idle_s

    def perform(self, folder: str, operation: str, body: Any, now_s: float) -> Any:
        """Performs the operation and returns its result. Raises Refused if the request is at fault."""
        if operation in _OPENING:
            vectors = {name: VectorSetting(**setting) for name, setting in body.items()}
            self._open[folder] = _OPENING[operation](Path(folder), vectors)
            return None
        shard = self._open.get(folder)
        if shard is None:
            # It was deleted while the request was on its way.
            raise NotFound("Not found: Collection doesn't exist!")
        if operation == "close":
            del self._open[folder]
            shard.close()
            return None
        if operation in _WRITING:
            writes = _WRITING[operation](body, shard)
            for write in writes:
                shard.write(write, now_s)
            return len(writes)
        return _READING[operation](body, shard)

    @property
    def has_unflushed(self) -> bool:
        """Whether a flush will be due."""
        return any(shard.has_unflushed for shard in self._open.values())

    def release_mapped(self) -> None:
        """Lets go of the pages of all files."""
        for folder in self._open:
            release_mapped(Path(folder))

    def due_for_flush(self, now_s: float) -> list[OpenShard]:
        """The shards to flush now."""
        return [shard for shard in self._open.values() if shard.flush_is_due(now_s, self._flush_when_idle_s)]


def _query(body: Any, shard: OpenShard) -> Any:
    request = queries.query(body, shard.vector_of)
    return {"points": responses.scored_points(shard.query(QueryBatchRequest([request]))[0])}


def _query_batch(body: Any, shard: OpenShard) -> Any:
    found = shard.query(queries.query_batch(body, shard.vector_of))
    return [{"points": responses.scored_points(neighbours)} for neighbours in found]


def _scroll(body: Any, shard: OpenShard) -> Any:
    found, next_id = shard.scroll(queries.scroll(body))
    return {"points": responses.records(found), "next_page_offset": next_id}


def _changes(limit: Any, shard: OpenShard) -> Any:
    found, gone = shard.pop_changes(limit)
    return {"points": responses.records(found), "gone": gone}


def _size(_body: Any, shard: OpenShard) -> Any:
    return {"points": shard.info().points_count, "changed": shard.changed()}


_OPENING: dict[str, Callable[[Path, dict[str, VectorSetting]], OpenShard]] = {
    "create": OpenShard.create,
    "load": OpenShard.load,
}
_WRITING: dict[str, Callable[[Any, OpenShard], list[Write]]] = {
    "upsert": lambda body, shard: [points.upsert(body, shard.vectors)],
    "delete": lambda body, _: [points.delete(body)],
    "set_payload": lambda body, _: [points.set_payload(body)],
    "overwrite_payload": lambda body, _: [points.overwrite_payload(body)],
    "delete_payload": lambda body, _: [points.delete_payload(body)],
    "clear_payload": lambda body, _: [points.clear_payload(body)],
    "batch": lambda body, shard: points.batch(body, shard.vectors),
    "create_index": lambda body, _: [payload_indexes.create(body)],
    "delete_index": lambda field_name, _: [payload_indexes.delete(field_name)],
}
_READING: dict[str, Callable[[Any, OpenShard], Any]] = {
    "retrieve": lambda body, shard: responses.records(shard.retrieve(*queries.retrieve(body))),
    "query": _query,
    "query_batch": _query_batch,
    "scroll": _scroll,
    "count": lambda body, shard: {"count": shard.count(queries.count(body))},
    "info": lambda _, shard: responses.counts(shard.info()),
    # For building an HNSW index.
    "size": _size,
    "vectors": lambda _, shard: shard.vector_count(),
    "flush": lambda _, shard: shard.flush(),
    "watch": lambda _, shard: shard.watch(),
    "unwatch": lambda _, shard: shard.unwatch(),
    "changes": _changes,
}
