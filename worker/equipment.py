"""What a worker process works with, put together from the settings. Made after fork, connects when first used."""

from dataclasses import dataclass
from pathlib import Path

from qdrant_client import QdrantClient

from lookalike.board import Board
from lookalike.broker import redis_of
from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from worker.collection import ensure
from worker.embed import Embedder, model_path
from worker.images import Picture, enable_formats, open_picture
from worker.index import Index, answered
from worker.library import Library
from worker.reads import Reads
from worker.search import Search
from worker.sync import Sync

STORE_TIMEOUT_S = 30


@dataclass(frozen=True)
class Equipment:
    """The three tasks, ready to run."""

    sync: Sync
    search: Search
    reads: Reads


def qdrant_of(settings: Settings) -> QdrantClient:
    """A client of the store. Raises Misconfigured if no store is named."""
    if settings.qdrant_url is None:
        raise Misconfigured("QDRANT_URL is not set: name a Qdrant, or let `lookalike up FOLDER` start one.")
    key = settings.qdrant_api_key
    return QdrantClient(
        url=settings.qdrant_url,
        api_key=None if key is None else key.get_secret_value(),
        timeout=STORE_TIMEOUT_S,
        check_compatibility=False,
    )


def library_root(settings: Settings) -> Path:
    """Folder of the library. Raises Misconfigured if none is named."""
    if settings.library is None:
        raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images.")
    return settings.library


def load_embedder(settings: Settings) -> Embedder:
    """The model, loaded and ready. Raises Misconfigured."""
    enable_formats()
    return Embedder(model_path(settings.model), sub_batch=settings.sub_batch)


def equip(settings: Settings, embedder: Embedder) -> Equipment:
    """Connects to the store and joins the parts. Raises StoreAway, CollectionMismatch, Misconfigured."""
    client, redis = qdrant_of(settings), redis_of(settings)
    card = embedder.card
    collection, identity, _ = answered(
        ensure, client, settings.name, card, settings.distance, library_id=settings.library_id, rebuild=False
    )
    index, board = Index(client, collection), Board(redis, settings.names)

    def opened(blob: bytes) -> Picture:
        return open_picture(blob, card, max_pixels=settings.max_image_pixels)

    def take_query(key: str) -> bytes | None:
        found: bytes | None = redis.get(settings.names.query(key))  # type: ignore[assignment]
        return found

    sync = Sync(
        library=Library(library_root(settings), max_bytes=settings.max_image_bytes),
        library_id=identity.library_id,
        index=index,
        embedder=embedder,
        open_picture=opened,
        count=lambda embedded, finished: board.done(embedded=embedded, finished=finished),
        sub_batch=settings.sub_batch,
    )
    search = Search(
        index=index,
        embedder=embedder,
        open_picture=opened,
        take_query=take_query,
        distance=settings.distance,
        max_limit=settings.max_limit,
        max_query_bytes=settings.max_query_bytes,
    )
    return Equipment(sync, search, Reads(index, identity))
