"""Over gRPC a store that is away is waited for, as over REST. No server that speaks it is here to be asked more."""

import pytest

from lookalike.settings import Settings
from tests.support.valkey import free_port
from worker.connecting import qdrant_of
from worker.errors import StoreUnavailable
from worker.index.qdrant import QdrantIndex, call_store


def test_a_store_that_is_away_is_waited_for_over_grpc_too() -> None:
    settings = Settings(qdrant_url=f"http://127.0.0.1:{free_port()}", qdrant_grpc=True)
    client = qdrant_of(settings)

    with pytest.raises(StoreUnavailable, match="UNAVAILABLE: failed to connect"):
        call_store(client.get_aliases)
    with pytest.raises(StoreUnavailable):
        QdrantIndex(client, "any").find_nearest([1.0, 0.0], 1)
    client.close()
