"""A point with two named vectors counts as one: the threshold of the HNSW graph is a number of points."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.catalogue import VectorSetting
from edge.host import points
from edge.host.shard import OpenShard

VECTORS = {"image": VectorSetting(size=3, distance="Cosine"), "copy": VectorSetting(size=2, distance="Cosine")}
BOTH, REJECTED = 5, 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shard"


@pytest.fixture
def shard(folder: Path) -> Iterator[OpenShard]:
    shard = OpenShard.create(folder, VECTORS)
    both = [{"id": number, "vector": {"image": [1, 2, number], "copy": [1, number]}} for number in range(BOTH)]
    rejected = [{"id": 100 + number, "vector": {}, "payload": {"a": 1}} for number in range(REJECTED)]
    shard.write(points.upsert({"points": [*both, *rejected]}, VECTORS), now_s=0.0)
    yield shard
    shard.close()


def test_vectors_are_counted_by_the_name_that_has_most(shard: OpenShard) -> None:
    assert shard.vector_count() == BOTH
    shard.write(points.upsert({"points": [{"id": 9, "vector": {"copy": [1, 1]}}]}, VECTORS), now_s=0.0)
    assert shard.vector_count() == BOTH + 1


def test_after_a_start_as_many_points_are_outside_of_the_graph_as_before(shard: OpenShard, folder: Path) -> None:
    shard.close()

    assert OpenShard.load(folder, VECTORS).changed() == BOTH
