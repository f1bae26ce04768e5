"""Settings of the index: the store, how it searches, and which model its vectors are of."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from lookalike.settings.fields import Count, FromEnvironment, Port

Distance = Literal["cosine", "dot", "euclid", "manhattan"]
Quantization = Literal["none", "int8"]


class IndexSettings(FromEnvironment):
    """The store and what is in it."""

    qdrant_url: str | None = Field(
        default=None,
        validation_alias="QDRANT_URL",
        description="Qdrant; `up` starts the embedded engine if unset.",
    )
    qdrant_api_key: SecretStr | None = Field(
        default=None, validation_alias="QDRANT_API_KEY", description="Key of that Qdrant."
    )
    qdrant_ca: Path | None = Field(
        default=None,
        description="PEM file with the authority that signed that Qdrant's certificate, for https by REST and gRPC.",
    )
    qdrant_grpc: bool = Field(
        default=False, description="Speak gRPC to that Qdrant; the embedded engine has REST alone."
    )
    qdrant_grpc_port: Port = Field(default=6334, description="Port of gRPC at that Qdrant.")
    target_api_key: SecretStr | None = Field(
        default=None, description="Key of the Qdrant that `lookalike migrate` copies to."
    )
    # The default limit of nginx and others; 64 vectors of 512 numbers with their paths take 0.85 MB.
    store_request_bytes: Count = Field(
        default=2**20, description="Most bytes in one write to the store; halved by itself if the store takes less."
    )
    # Exact search among 20,000 vectors takes 2 ms; docs/decisions/0010-index.md.
    hnsw_threshold: Count | None = Field(
        default=None,
        description="Points above which an HNSW index is built; by default 20,000, or as a server does.",
    )
    hnsw_ef: Count | None = Field(
        default=None, description="Candidates of a search in that index: more find more and take longer."
    )
    quantization: Quantization = Field(
        default="none", description="`int8` searches vectors of a quarter of the size, and finds a little less."
    )
    vectors_on_disk: bool = Field(default=False, description="Leave whole vectors on disk, read as they are needed.")
    shard_number: Count | None = Field(default=None, description="Shards of a new index, on a Qdrant cluster.")
    replication_factor: Count | None = Field(
        default=None, description="Copies of each shard; with 2 a node may be down."
    )
    write_consistency_factor: Count | None = Field(
        default=None, description="Copies that must have a write before it counts."
    )
    model: str = Field(default="resnet", description="Path of an ONNX model, or the name of one in models/.")
    distance: Distance = Field(default="cosine", description="Metric of the index; `reindex` changes it.")
    succeeds: str | None = Field(
        default=None, description="Name of the system whose index this one is to replace; `reindex` sets it."
    )
    keep_old_days: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Days after which the index from before a switch is dropped by itself; never if unset.",
    )
