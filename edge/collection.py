"""One open collection: its entry in the catalogue and its shard, and when what was written was last flushed.

A write that returned is in the engine's write-ahead log and survives kill -9. Flushing saves the time that replaying
the log takes when the shard is opened again, and makes it survive a power cut.
"""

from pathlib import Path
from typing import Any

import qdrant_edge as engine

from edge.catalogue import Entry, VectorSetting
from edge.engine import building, calling
from edge.errors import NotFound

DISTANCES: dict[str, engine.Distance] = {
    "Cosine": engine.Distance.Cosine,
    "Dot": engine.Distance.Dot,
    "Euclid": engine.Distance.Euclid,
    "Manhattan": engine.Distance.Manhattan,
}
# A flush stops the world: 75 ms for 32 points of dimension 512 or 140 ms for 10,000, so wait for a pause
# (2 Xeon cores, 2026-11-21).
FLUSH_WHEN_IDLE_S = 2.0
# Without a pause: replaying 66,000 unflushed points took 2.5 s, and 400 images/s write 6,000 in this time.
FLUSH_AT_THE_LATEST_S = 15.0


class OpenCollection:
    """Reads and writes one shard. Raises NotFound and BadInput for what the request has wrong."""

    def __init__(self, shard: engine.EdgeShard, entry: Entry) -> None:
        self.entry = entry
        self._shard = shard
        self._first_unflushed_s: float | None = None
        self._last_write_s = 0.0

    @classmethod
    def create(cls, folder: Path, entry: Entry) -> "OpenCollection":
        """Makes an empty shard in a folder that is not there yet."""
        return cls(engine.EdgeShard.create(str(folder), _config(entry.vectors)), entry)

    @classmethod
    def load(cls, folder: Path, entry: Entry) -> "OpenCollection":
        """Opens a shard, replaying what its log has and its segments have not."""
        return cls(engine.EdgeShard.load(str(folder)), entry)

    def write(self, operation: engine.UpdateOperation, now_s: float) -> None:
        """When it returns, the operation is in the log."""
        # Also if it fails: the engine logs first and applies then, so a refused operation is in the log as well.
        self._last_write_s = now_s
        if self._first_unflushed_s is None:
            self._first_unflushed_s = now_s
        with calling():
            self._shard.update(operation)

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
        """Those of the points that are there, in the order asked for."""
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

    def flush_is_due(self, now_s: float) -> bool:
        """True once writing has paused, or has gone on for long."""
        if self._first_unflushed_s is None:
            return False
        idle_s, unflushed_s = now_s - self._last_write_s, now_s - self._first_unflushed_s
        return idle_s >= FLUSH_WHEN_IDLE_S or unflushed_s >= FLUSH_AT_THE_LATEST_S

    def flush(self) -> None:
        """Brings everything written to the disk and empties the log."""
        self._shard.flush()
        self._first_unflushed_s = None

    def close(self) -> None:
        """Lets go of the folder; the engine flushes on the way."""
        self._shard.close()


def _config(vectors: dict[str, VectorSetting]) -> engine.EdgeConfig:
    return engine.EdgeConfig(
        vectors={
            name: engine.EdgeVectorParams(vector.size, DISTANCES[vector.distance]) for name, vector in vectors.items()
        }
    )
