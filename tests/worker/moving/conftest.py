"""A store that the tests of one module share."""

from collections.abc import Iterator

import pytest
from qdrant_client import QdrantClient

from tests.support.edge import client_of, edge_process


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantClient]:
    with edge_process(tmp_path_factory.mktemp("edge") / "data") as server, client_of(server) as client:
        yield client
