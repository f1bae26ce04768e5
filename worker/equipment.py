"""What a worker process works with, put together from the settings. Made after fork, connects when first used."""

import warnings
from functools import cached_property
from pathlib import Path

import httpx
from qdrant_client import QdrantClient

from lookalike.board import Board
from lookalike.broker import redis_of
from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from worker.collection import ensure
from worker.danger import Danger
from worker.embed import Embedder, model_path
from worker.images import Picture, enable_formats, open_picture
from worker.index import Index, answered
from worker.library import Library
from worker.reads import Reads
from worker.right_of_way import RightOfWay
from worker.search import Search
from worker.sync import Sync
from worker.watchdog import Watchdog

STORE_TIMEOUT_S = 30
# Without limits of ours qdrant-client opens a connection for each request to this machine. Idle ones are given up
# before servers close them, which mostly is after 5 s.
KEPT_ALIVE = httpx.Limits(keepalive_expiry=4.0)
# The watchdog is a second late at most; clocks of two machines differ.
DECODE_GRACE_S = 5


def qdrant_of(settings: Settings) -> QdrantClient:
    """A client of the store. Raises Misconfigured if no store is named."""
    if settings.qdrant_url is None:
        raise Misconfigured("QDRANT_URL is not set: name a Qdrant, or let `lookalike up FOLDER` start one.")
    key = settings.qdrant_api_key
    with warnings.catch_warnings():
        # Of a key sent without TLS: on loopback nobody listens, elsewhere the URL is the operator's decision.
        warnings.simplefilter("ignore")
        return QdrantClient(
            url=settings.qdrant_url,
            api_key=None if key is None else key.get_secret_value(),
            timeout=STORE_TIMEOUT_S,
            prefer_grpc=settings.qdrant_grpc,
            limits=KEPT_ALIVE,
            check_compatibility=False,
        )


def library_root(settings: Settings) -> Path:
    """Folder of the library. Raises Misconfigured if none is named."""
    if settings.library is None:
        raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images.")
    return settings.library


def load_embedder(settings: Settings, backend: str) -> Embedder:
    """The model, loaded and ready. Raises Misconfigured."""
    enable_formats()
    return Embedder(model_path(settings), sub_batch=settings.sub_batch, backend=backend)


class Equipment:
    """The three tasks' logic over one store, one broker and one model."""

    def __init__(self, settings: Settings, embedder: Embedder, right_of_way: RightOfWay) -> None:
        """Connects to the store. Raises StoreAway, CollectionMismatch, Misconfigured."""
        collection, self._identity, _ = answered(
            ensure,
            client := qdrant_of(settings),
            settings.name,
            embedder.card,
            settings.distance,
            library_id=settings.library_id,
            rebuild=False,
            backend=embedder.backend,
        )
        self._settings = settings
        self._embedder = embedder
        self._index = Index(client, collection, request_bytes=settings.store_request_bytes)
        self._redis = redis_of(settings)
        self.danger = Danger(self._redis, settings.names, longest_s=settings.decode_s + DECODE_GRACE_S)
        self.watchdog = Watchdog(settings.decode_s)
        self._right_of_way = right_of_way

    def warm_up(self) -> None:
        """Asks the store what a search asks, so that the connection is open before the first one. Raises StoreAway."""
        self._index.nearest([1.0] * self._embedder.card.dimension, 1)

    @cached_property
    def sync(self) -> Sync:
        """For workers that see the library. Raises Misconfigured on one that does not."""
        board = Board(self._redis, self._settings.names)
        return Sync(
            library=Library(library_root(self._settings), max_bytes=self._settings.max_image_bytes),
            library_id=self._identity.library_id,
            index=self._index,
            embedder=self._embedder,
            open_picture=self._opened,
            give_way=self._right_of_way.give,
            count=lambda embedded, finished: board.done(embedded=embedded, finished=finished),
        )

    @cached_property
    def search(self) -> Search:
        """For workers that answer; they need no library."""
        return Search(
            index=self._index,
            embedder=self._embedder,
            open_picture=self._opened_query,
            take_query=self._take_query,
            distance=self._settings.distance,
            max_limit=self._settings.max_limit,
            max_query_bytes=self._settings.max_query_bytes,
        )

    @cached_property
    def reads(self) -> Reads:
        """For workers that answer."""
        return Reads(self._index, self._identity)

    def _opened(self, blob: bytes) -> Picture:
        self.watchdog.next_image()
        return open_picture(blob, self._embedder.card, max_pixels=self._settings.max_image_pixels)

    def _opened_query(self, blob: bytes) -> Picture:
        with self.watchdog.watching():
            return self._opened(blob)

    def _take_query(self, key: str) -> bytes | None:
        found: bytes | None = self._redis.get(self._settings.names.query(key))  # type: ignore[assignment]
        return found
