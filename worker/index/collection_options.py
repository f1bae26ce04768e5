"""How a new collection is kept: shards and copies in a cluster, vectors on disk, quantization, the size of an index.

What is not set is left to the store. The embedded engine is one process with one shard: it refuses more of them, and
gets its size of an index from `--hnsw-threshold`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qdrant_client.models import (
    CollectionConfig,
    OptimizersConfigDiff,
    ScalarQuantization,
    ScalarQuantizationConfig,
    ScalarType,
    VectorParams,
)
from qdrant_client.models import Distance as QdrantDistance

from lookalike.search.query import By
from lookalike.settings import Quantization, Settings, variable_of
from worker.index.payload import VECTORS

BYTES_PER_NUMBER = 4
# Quantized vectors are small and looked at first, so they stay in memory wherever the whole ones are.
INT8 = ScalarQuantization(scalar=ScalarQuantizationConfig(type=ScalarType.INT8, always_ram=True))


@dataclass(frozen=True)
class CollectionOptions:
    """None leaves it to the store."""

    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    vectors_on_disk: bool = False
    quantization: Quantization = "none"
    hnsw_threshold: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> "CollectionOptions":
        """Those of the settings."""
        return cls(**{name: getattr(settings, name) for name in cls.__dataclass_fields__})

    def arguments(self, dimensions: Mapping[By, int], distance: QdrantDistance) -> dict[str, Any]:
        """Arguments of qdrant-client's `create_collection`, for vectors of these dimensions; all are kept alike."""
        arguments: dict[str, Any] = {
            "vectors_config": {
                VECTORS[by]: VectorParams(
                    size=dimension,
                    distance=distance,
                    on_disk=self.vectors_on_disk or None,
                    quantization_config=INT8 if self.quantization == "int8" else None,
                )
                for by, dimension in dimensions.items()
            }
        }
        for name in ("shard_number", "replication_factor", "write_consistency_factor"):
            if getattr(self, name) is not None:
                arguments[name] = getattr(self, name)
        if self.hnsw_threshold is not None:
            # Qdrant counts in KiB of a segment's vectors, of those of the name that has most.
            kib = self.hnsw_threshold * max(dimensions.values()) * BYTES_PER_NUMBER // 1024
            arguments["optimizers_config"] = OptimizersConfigDiff(indexing_threshold=max(1, kib))
        return arguments

    def differences(self, config: CollectionConfig) -> Iterator[str]:
        """The settings for which an existing collection was made otherwise, each with what it has."""
        params = config.params
        vectors = list(params.vectors.values()) if isinstance(params.vectors, dict) else []
        kept = {
            "shard_number": params.shard_number,
            "replication_factor": params.replication_factor,
            "write_consistency_factor": params.write_consistency_factor,
            "vectors_on_disk": any(vector.on_disk for vector in vectors),
            "quantization": "int8" if any(vector.quantization_config for vector in vectors) else "none",
        }
        for name, has in kept.items():
            wanted = getattr(self, name)
            if wanted is not None and wanted != has:
                yield f"{variable_of(name)} is {wanted}, and the index has {has}"


STORE_DEFAULTS = CollectionOptions()
