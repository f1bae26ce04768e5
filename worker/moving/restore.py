"""Fills an empty store with the index of a backup, as it was: `lookalike restore`."""

from dataclasses import asdict
from typing import Any

from qdrant_client import QdrantClient

from lookalike.errors import Refused
from lookalike.settings import Settings
from worker.index.collection_options import CollectionOptions
from worker.moving.export import Tell
from worker.moving.filling import fill
from worker.moving.rows import Reader
from worker.moving.target import Target
from worker.moving.verdicts import take_verdicts


def restore(settings: Settings, client: QdrantClient, reader: Reader, tell: Tell) -> dict[str, Any]:
    """Makes the collection that was, and then its alias. Raises Refused, CollectionMismatch, Unavailable."""
    header = reader.header
    if header is None:
        raise Refused("This is no backup of an index: its vectors do not say which model made them.")
    target = Target(
        client,
        settings.name,
        header.collection,
        header.identity,
        header.dimensions,
        CollectionOptions.of(settings),
        settings.store_request_bytes,
    )
    target.open()
    filled = fill(target.index, reader.pages(), lambda done: tell(done, max(done, reader.count)))
    target.promote()
    return {
        **asdict(filled),
        "model": header.identity.model,
        "made_at": header.made_at,
        "verdicts": take_verdicts(settings, client, reader.verdicts()),
    }
