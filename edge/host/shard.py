"""One open shard: reads, writes, when to flush, and which points changed since the HNSW index was built.

A write that returned is in the engine's write-ahead log and survives kill -9. Flushing makes it survive a power cut,
and saves replaying the log when the shard is opened again.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as engine

from edge.catalogue import VectorSetting
from edge.errors import NotFound
from edge.host.engine import building, calling
from edge.host.points import Vectors, Write

DISTANCES: dict[str, engine.Distance] = {
    "Cosine": engine.Distance.Cosine,
    "Dot": engine.Distance.Dot,
    "Euclid": engine.Distance.Euclid,
    "Manhattan": engine.Distance.Manhattan,
}
# While writes never pause: replaying 66,000 unflushed points took 2.5 s, and 400 images/s write 6,000 in this time.
MAX_UNFLUSHED_S = 15.0
PAGE = 1000


class OpenShard:
    """An open shard. Its methods raise NotFound and BadInput if the request is at fault."""

    def __init__(self, shard: engine.EdgeShard, vectors: Vectors, *, unindexed: int) -> None:
        self.vectors = vectors
        self._shard = shard
        self._first_unflushed_s: float | None = None
        self._last_write_s = 0.0
        self._changed = unindexed
        self._watched: set[Any] | None = None

    @classmethod
    def create(cls, folder: Path, vectors: Vectors) -> "OpenShard":
        """Creates an empty shard in a folder that does not exist yet."""
        created = cls(engine.EdgeShard.create(str(folder), config(vectors)), vectors, unindexed=0)
        created.flush()
        return created

    @classmethod
    def load(cls, folder: Path, vectors: Vectors) -> "OpenShard":
        """Opens a shard and replays the unflushed part of its log."""
        shard = engine.EdgeShard.load(str(folder))
        loaded = cls(shard, vectors, unindexed=0)
        # Vectors that were indexed and then written again count as indexed, so this number may be too small.
        outside = sum(loaded._vector_counts()) - shard.info().indexed_vectors_count
        loaded._changed = math.ceil(max(0, outside) / max(1, len(vectors)))
        return loaded

    def write(self, write: Write, now_s: float) -> None:
        """On return the operation is in the write-ahead log."""
        # Resolved before the write: afterwards the filter may match other points.
        ids = [_canonical(given) for given in write.ids] if write.chosen is None else list(self._matching(write.chosen))
        self._changed += len(ids)
        if self._watched is not None:
            self._watched.update(ids)
        # Also if the write fails: the engine logs first and applies then, so a refused operation is in the log as well.
        self._last_write_s = now_s
        if self._first_unflushed_s is None:
            self._first_unflushed_s = now_s
        with calling():
            self._shard.update(write.operation)

    def query(self, request: engine.QueryBatchRequest) -> list[list[engine.ScoredPoint]]:
        """One list of neighbours per query, best first."""
        with calling():
            return self._shard.query_batch(request)

    def scroll(self, request: engine.ScrollRequest) -> tuple[list[engine.Record], Any]:
        """A page of points, and the id at which the next one begins."""
        with calling():
            return self._shard.scroll(request)

    def count(self, request: engine.CountRequest) -> int:
        """How many points match."""
        with calling():
            return self._shard.count(request)

    def retrieve(self, ids: list[Any], with_payload: Any, with_vector: Any) -> list[engine.Record]:
        """The points that exist, in the order of the ids."""
        with building("ids"), calling():
            return self._shard.retrieve(ids, with_payload, with_vector)

    def vector_of(self, point_id: Any, name: str) -> list[float]:
        """The stored vector of a point, normalised if the distance is Cosine. Raises NotFound."""
        found = self.retrieve([point_id], with_payload=False, with_vector=[name])
        if not found:
            raise NotFound(f"Not found: No point with id {point_id} found")
        vectors: Any = found[0].vector
        if name not in vectors:
            raise NotFound(f"Not found: Vector with name {name} for point {point_id}")
        return list(vectors[name])

    def info(self) -> "engine.ShardInfo":  # in the stubs only
        """Counts and payload indexes."""
        return self._shard.info()

    def vector_count(self) -> int:
        """Vectors of the name that has most, indexed or not; 17 ms for each name at 100,000 points."""
        return max(self._vector_counts(), default=0)

    def changed(self) -> int:
        """About how many points lie outside of the HNSW index: written, edited or deleted since it was built.

        Any change of an indexed point moves it to the segment that is searched exactly (qdrant-edge-py 0.9.0).
        """
        return self._changed

    def watch(self) -> None:
        """Flushes, so that the folder can be copied, and records from now on which points change."""
        self.flush()
        self._watched = set()

    def unwatch(self) -> None:
        """Stops recording changes."""
        self._watched = None

    def pop_changes(self, limit: int) -> tuple[list[engine.Record], list[Any]]:
        """Takes up to `limit` points off the record: their current state, and the ids of those that were deleted."""
        watched = self._watched or set()
        ids = [watched.pop() for _ in range(min(limit, len(watched)))]
        found = self.retrieve(ids, with_payload=True, with_vector=True)
        existing = {record.id for record in found}
        return found, [point_id for point_id in ids if point_id not in existing]

    @property
    def has_unflushed(self) -> bool:
        """Whether there were writes since the last flush."""
        return self._first_unflushed_s is not None

    def flush_is_due(self, now_s: float, when_idle_s: float) -> bool:
        """True once writes have paused, or have gone on for long without a flush."""
        if self._first_unflushed_s is None:
            return False
        idle_s, unflushed_s = now_s - self._last_write_s, now_s - self._first_unflushed_s
        return idle_s >= when_idle_s or unflushed_s >= MAX_UNFLUSHED_S

    def flush(self) -> None:
        """Makes all writes durable and empties the log."""
        self._shard.flush()
        self._first_unflushed_s = None

    def close(self) -> None:
        """Closes the shard; the engine flushes it."""
        self._shard.close()

    def _vector_counts(self) -> list[int]:
        """Vectors of each name."""
        having = [engine.Filter(must=[engine.HasVectorCondition(name)]) for name in self.vectors]
        return [self.count(engine.CountRequest(exact=True, filter=each)) for each in having]

    def _matching(self, chosen: engine.Filter) -> Iterable[Any]:
        offset = None
        while True:
            page = engine.ScrollRequest(limit=PAGE, offset=offset, filter=chosen, with_payload=False, with_vector=False)
            records, offset = self.scroll(page)
            yield from (record.id for record in records)
            if offset is None:
                return


def _canonical(point_id: Any) -> Any:
    """An id as the engine returns it: a whole number or a UUID."""
    return UUID(point_id) if isinstance(point_id, str) else point_id


def config(vectors: Vectors, optimizers: engine.EdgeOptimizersConfig | None = None) -> engine.EdgeConfig:
    """The engine's configuration of a shard; what is not given stays as it is."""
    return engine.EdgeConfig(vectors={name: _vector(one) for name, one in vectors.items()}, optimizers=optimizers)


def _vector(setting: VectorSetting) -> engine.EdgeVectorParams:
    quantization = None
    if setting.quantization_config is not None:
        always_ram = setting.quantization_config["scalar"].get("always_ram")
        quantization = engine.ScalarQuantizationConfig(engine.ScalarType.Int8, always_ram=always_ram)
    return engine.EdgeVectorParams(
        setting.size, DISTANCES[setting.distance], on_disk=setting.on_disk, quantization_config=quantization
    )
