"""The same call to the edge server and to qdrant-client's own local mode, and what may differ between the answers."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from qdrant_client import QdrantClient, models

Call = Callable[[QdrantClient, str], Any]

# Both count in 32-bit floats, but add up in another order.
DECIMALS = 4
# A version or operation number says how a store counts its writes, not what it holds.
UNCOMPARED = {"version", "operation_id"}


@dataclass(frozen=True)
class Pair:
    """One collection that exists on both sides under one name."""

    edge: QdrantClient
    local: QdrantClient
    name: str

    def both(self, call: Call) -> None:
        """Does the call on both sides, whatever it answers."""
        call(self.edge, self.name)
        self._on_local(call)

    def agree(self, call: Call) -> Any:
        """Does the call on both sides, asserts that the answers are the same, and returns it."""
        edge, local = comparable(call(self.edge, self.name)), comparable(self._on_local(call))

        assert edge == local
        return edge

    def _on_local(self, call: Call) -> Any:
        with warnings.catch_warnings():
            # What local mode says it leaves out: it has no indexes, and what tunes them has no effect.
            warnings.filterwarnings("ignore", message="Payload indexes have no effect in the local Qdrant")
            warnings.filterwarnings("ignore", message="Local mode performs exact")
            return call(self.local, self.name)


def comparable(answer: Any) -> Any:
    """An answer as plain values, with floats rounded and counters left out."""
    if isinstance(answer, BaseModel):
        return comparable({key: value for key, value in answer if key not in UNCOMPARED})
    if isinstance(answer, dict):
        return {key: comparable(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [comparable(value) for value in answer]
    if isinstance(answer, float):
        return round(answer, DECIMALS) + 0.0
    return answer


@contextmanager
def pair(edge: QdrantClient, distance: models.Distance, size: int) -> Iterator[Pair]:
    """A collection with one vector, `image`, on the edge server and in local mode.

    It stays on the edge server, which ends with the tests: deleting it would take longer than most tests.
    """
    name = f"pair-{uuid4().hex[:8]}"
    local = QdrantClient(":memory:")
    for client in (edge, local):
        client.create_collection(name, vectors_config={"image": models.VectorParams(size=size, distance=distance)})
    yield Pair(edge, local, name)
    local.close()
