"""How a collection is kept: what of Qdrant's options is taken and told again, and what is refused."""

from typing import Any

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import Distance, VectorParams

INT8 = models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True))
QUANTILE = models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99))
BINARY = models.BinaryQuantization(binary=models.BinaryQuantizationConfig())


def vectors(**options: Any) -> dict[str, Any]:
    return {"vectors_config": {"image": VectorParams(size=3, distance=Distance.COSINE, **options)}}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({**vectors(), "shard_number": 2}, "shard_number is 2, and here is one process: only 1 is possible"),
        ({**vectors(), "replication_factor": 2}, "replication_factor is 2, and here is one process"),
        ({**vectors(), "write_consistency_factor": 2}, "write_consistency_factor is 2, and here is one process"),
        (
            {**vectors(), "optimizers_config": models.OptimizersConfigDiff(max_segment_size=1000)},
            "`max_segment_size` is not supported",
        ),
        (vectors(hnsw_config=models.HnswConfigDiff(m=8)), "`hnsw_config` is not supported"),
        (vectors(quantization_config=BINARY), "`binary` is not supported"),
        (vectors(quantization_config=QUANTILE), "`quantile` is not supported"),
    ],
)
def test_what_it_cannot_do_is_refused_with_its_name(
    client: QdrantClient, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UnexpectedResponse, match=sentence) as caught:
        client.create_collection("never-kept", **options)

    assert caught.value.status_code == 400
    assert not client.collection_exists("never-kept")


def test_what_it_can_do_is_told_again(client: QdrantClient) -> None:
    optimizers = models.OptimizersConfigDiff(indexing_threshold=1000)
    client.create_collection(
        "kept", **vectors(on_disk=True, quantization_config=INT8), shard_number=1, optimizers_config=optimizers
    )

    params = client.get_collection("kept").config.params

    assert params.vectors == vectors(on_disk=True, quantization_config=INT8)["vectors_config"]
    assert (params.shard_number, params.replication_factor) == (1, 1)
