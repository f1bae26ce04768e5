"""A running edge server, a client that talks to it, and a library of points on it and in local mode."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from tests.edge.library import DIMENSION, INDEXES, photos, rejections
from tests.edge.pair import Pair, pair
from tests.support.edge import edge_process


@pytest.fixture(scope="session")
def edge_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that the tests of this folder share; each makes collections of its own."""
    with edge_process(tmp_path_factory.mktemp("edge") / "data") as server:
        yield server.url
        # Dozens of collections take seconds to close, and nobody looks at them again.
        server.kill()


@pytest.fixture(scope="session")
def client(edge_server: str) -> Iterator[QdrantClient]:
    """An unmodified qdrant-client."""
    connected = QdrantClient(url=edge_server)
    yield connected
    connected.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder for a server of the test's own."""
    return tmp_path / "data"


@pytest.fixture(scope="session", params=list(models.Distance))
def library(request: pytest.FixtureRequest, client: QdrantClient) -> Iterator[Pair]:
    """A dozen photos and two rejections, with indexes; once for each distance. For reading only."""
    with pair(client, request.param, DIMENSION) as both:
        for field, schema in INDEXES.items():
            both.both(partial(_create_index, field=field, schema=schema))
        both.both(lambda on, name: on.upsert(name, photos() + rejections()))
        yield both


@pytest.fixture
def cosine(client: QdrantClient) -> Iterator[Pair]:
    """An empty collection."""
    with pair(client, models.Distance.COSINE, DIMENSION) as both:
        yield both


def _create_index(on: QdrantClient, name: str, field: str, schema: models.PayloadSchemaType) -> None:
    on.create_payload_index(name, field, schema)
