"""A client of the store that a running system keeps to itself."""

from qdrant_client import QdrantClient

from lookalike.settings import read_settings
from lookalike.system.discovery import RunningSystem
from worker.connecting import qdrant_of


def store_of(running: RunningSystem) -> QdrantClient:
    """A client that has the key."""
    return qdrant_of(read_settings(qdrant_url=running.qdrant_url, qdrant_api_key=running.qdrant_api_key))
