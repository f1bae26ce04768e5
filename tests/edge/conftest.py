"""A running edge server, and a client that talks to it."""

from collections.abc import Iterator

import pytest
from qdrant_client import QdrantClient

from tests.running.edge import edge_process


@pytest.fixture(scope="session")
def edge_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that the tests of this folder share; each makes collections of its own."""
    with edge_process(tmp_path_factory.mktemp("edge") / "data") as server:
        yield server.url


@pytest.fixture
def client(edge_server: str) -> Iterator[QdrantClient]:
    """An unmodified qdrant-client."""
    connected = QdrantClient(url=edge_server)
    yield connected
    connected.close()
