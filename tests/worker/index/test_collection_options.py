"""The settings of how an index is kept: what a server is sent, what the embedded engine does, and what it refuses."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from lookalike.errors import Unreachable
from lookalike.library.version import folder_version
from lookalike.settings import read_settings
from models.contract import read_card
from tests.support.edge import client_of, edge_process
from tests.support.faulty.between import Answer, Forward, Request, server_between
from tests.support.valkey import valkey_process
from worker.errors import StoreRefused
from worker.index.collection import ensure
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import ImageMetadata, indexed_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.prepare import prepare

POINTS = 200


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with edge_process(tmp_path_factory.mktemp("store") / "data") as edge:
        yield edge.url


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_process(tmp_path_factory.mktemp("broker")) as url:
        yield url


@contextmanager
def recorded(store_url: str, path: str) -> Iterator[tuple[QdrantClient, list[dict[str, Any]]]]:
    """A client, and the bodies that it sends where the path ends so."""
    bodies = []

    def record(request: Request, forward: Forward) -> Answer:
        if request.method != "GET" and request.path.endswith(path):
            bodies.append(json.loads(request.body))
            return Answer(400, b'{"status": {"error": "seen"}}', {"content-type": "application/json"})
        return forward(request)

    with server_between(store_url, record) as url:
        client = QdrantClient(url=url, check_compatibility=False)
        try:
            yield client, bodies
        finally:
            client.close()


def test_a_server_is_sent_what_is_set(store_url: str, model: Path) -> None:
    card = read_card(model)
    options = CollectionOptions(
        shard_number=3, replication_factor=2, write_consistency_factor=1, vectors_on_disk=True, hnsw_threshold=1000
    )
    spec = CollectionSpec("sent", card, "cosine", library_id="the-library", options=options)
    with (
        recorded(store_url, f"/collections/{spec.name('the-library')}") as (client, bodies),
        pytest.raises(UnexpectedResponse),
    ):
        ensure(client, spec)

    (body,) = bodies
    assert (body["shard_number"], body["replication_factor"], body["write_consistency_factor"]) == (3, 2, 1)
    assert [body["vectors"][name]["on_disk"] for name in ("image", "copy")] == [True, True]
    assert body["optimizers_config"] == {"indexing_threshold": 1000 * card.dimension * 4 // 1024}


def test_a_server_is_sent_nothing_that_is_not_set(store_url: str, model: Path) -> None:
    spec = CollectionSpec("unset", read_card(model), "cosine", library_id="the-library")
    with (
        recorded(store_url, f"/collections/{spec.name('the-library')}") as (client, bodies),
        pytest.raises(UnexpectedResponse),
    ):
        ensure(client, spec)

    (body,) = bodies
    assert set(body) == {"vectors", "metadata"}
    assert [set(body["vectors"][name]) for name in ("image", "copy")] == [{"size", "distance"}] * 2


@pytest.mark.parametrize(("hnsw_ef", "sent"), [(None, None), (77, {"hnsw_ef": 77})])
def test_a_search_looks_at_as_many_candidates_as_are_set(store_url: str, hnsw_ef: int | None, sent: object) -> None:
    with recorded(store_url, "/query") as (client, bodies), pytest.raises(StoreRefused):
        QdrantIndex(client, "any", hnsw_ef=hnsw_ef).find_nearest([1.0], 1)

    assert bodies[0].get("params") == sent


@pytest.mark.parametrize("setting", ["shard_number", "replication_factor"])
def test_the_embedded_engine_refuses_a_cluster_in_one_sentence(
    store_url: str, broker_url: str, model: Path, tmp_path: Path, setting: str
) -> None:
    where = {"qdrant_url": store_url, "redis_url": broker_url, "library": tmp_path, "model": str(model)}
    settings = read_settings(**where, name=setting, **{setting: 2})

    with pytest.raises(Unreachable, match=f"{setting} is 2, and here is one process: only 1 is possible"):
        prepare(settings, rebuild=False, retry_for_s=0)


def test_the_embedded_engine_finds_the_same_with_an_index_quantized_and_on_disk(tmp_path: Path, model: Path) -> None:
    card = read_card(model)
    options = CollectionOptions(vectors_on_disk=True, quantization="int8", shard_number=1, hnsw_threshold=POINTS - 1)
    with (
        edge_process(tmp_path / "data", None, "--hnsw-threshold", str(POINTS - 1)) as edge,
        client_of(edge) as client,
    ):
        spec = CollectionSpec("kept", card, "cosine", library_id="the-library", options=options)
        name = ensure(client, spec).name
        index = QdrantIndex(client, name, vectors=("embedding", "copy"), hnsw_ef=POINTS)
        vectors: dict[Any, Any] = {"embedding": _vectors(card.dimension), "copy": _vectors(card.copy_dimension or 0)}
        index.write(
            [
                PointWrite(_payload(number), {by: rows[number].tolist() for by, rows in vectors.items()})
                for number in range(POINTS)
            ]
        )

        def nearest() -> list[str]:
            asked = [(by, row.tolist()) for by, rows in vectors.items() for row in rows]
            return [index.find_nearest(row, 1, by=by)[0].payload["path"] for by, row in asked]  # type: ignore[index]

        before = nearest()
        while not (client.get_collection(name).indexed_vectors_count or 0) >= 2 * POINTS:
            assert client.get_collection(name).optimizer_status == "ok"
        after = nearest()
        kept = client.get_collection(name).config

    assert before == after == 2 * [f"{number}.jpg" for number in range(POINTS)]
    assert list(options.differences(kept)) == []


def test_what_an_index_was_made_without_is_told_and_left(
    store_url: str, broker_url: str, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = {"qdrant_url": store_url, "redis_url": broker_url, "library": tmp_path, "model": str(model)}
    settings = read_settings(**where, name="changed")
    prepare(settings, rebuild=False, retry_for_s=0)

    with caplog.at_level(logging.WARNING):
        prepare(settings.model_copy(update={"quantization": "int8"}), rebuild=False, retry_for_s=0)

    assert "LOOKALIKE_QUANTIZATION is int8, and the index has none: --rebuild makes it anew" in caplog.text


def _vectors(dimension: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    drawn = np.random.default_rng(0).normal(size=(POINTS, dimension)).astype(np.float32)
    unit: np.ndarray[tuple[int, int], np.dtype[np.float32]] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def _payload(number: int) -> dict[str, Any]:
    facts = ImageMetadata(f"{number:064x}", "JPEG", 10, 10, None)
    return indexed_payload(f"{number}.jpg", folder_version(1, 1), facts, "2026-11-21T00:00:00+00:00", "tests")
