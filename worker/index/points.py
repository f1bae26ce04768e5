"""A point before it is written and after it was read: its vectors, its payload, and the bytes that it takes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from qdrant_client.models import Record

from lookalike.search.query import By
from worker.index.payload import VECTORS, ImageMetadata

Vector = Sequence[float]
# Those of one point, by output of the model.
Vectors = Mapping[By, Vector]

# Size of a vector as JSON: a number has 24 characters at most, "-1.2345678901234567e-05,", and most have 20 or 21.
# Counting them exactly would cost as much as sending them.
NUMBER_BYTES = 24
# The id, the names of the vectors and the syntax between.
POINT_BYTES = 128


@dataclass(frozen=True)
class ReusableVectors:
    """An indexed image whose vectors serve for every copy of its bytes."""

    metadata: ImageMetadata
    vectors: Vectors


@dataclass(frozen=True)
class PointWrite:
    """One point to be written; without vectors it is a rejection."""

    payload: Mapping[str, Any]
    vectors: Vectors | None = None


def size_bytes(write: PointWrite) -> int:
    """The bytes that the point takes in a request, or somewhat less."""
    return POINT_BYTES + len(json.dumps(write.payload)) + NUMBER_BYTES * sum(map(len, (write.vectors or {}).values()))


def vector_in(record: Record, by: By) -> Vector | None:
    """A vector of a point; None if it has none, or none was asked for."""
    vector = record.vector.get(VECTORS[by]) if isinstance(record.vector, dict) else None
    # One vector per name: the other kinds that Qdrant's types allow (sparse, several) are never written.
    return cast("Vector | None", vector)
