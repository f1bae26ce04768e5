"""What a worker process works with, put together from the settings. Made after fork, connects when first used."""

import os
import time
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import httpx
from qdrant_client import QdrantClient

from lookalike.broker import redis_of
from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from lookalike.store_access import store_access
from lookalike.telemetry import Telemetry
from worker.collection import Standing, Wish
from worker.decode_timeout import DecodeTimeout
from worker.decoder import DecodedImage, decode_image, enable_formats
from worker.embedder import Embedder, model_path
from worker.errors import CollectionMissing, IndexRefused
from worker.index_opener import IndexOpener
from worker.library import Library
from worker.poison import PoisonDetector
from worker.qdrant import QdrantIndex
from worker.read import ReadQueries
from worker.search import Search
from worker.search_priority import SearchPriority
from worker.sync import Sync

STORE_TIMEOUT_S = 30
# Without limits of ours qdrant-client opens a connection for each request to this machine. Idle ones are given up
# before servers close them, which mostly is after 5 s.
KEPT_ALIVE = httpx.Limits(keepalive_expiry=4.0)
# The watchdog is a second late at most; clocks of two machines differ.
DECODE_GRACE_S = 5
# A worker that writes looks this often whether the index is still the one that it opened: three requests.
CONFIRM_S = 5.0

R = TypeVar("R")


def qdrant_of(settings: Settings) -> QdrantClient:
    """A client of the store. Raises Misconfigured if no store is named, or none can be reached so."""
    if settings.qdrant_url is None:
        raise Misconfigured("QDRANT_URL is not set: name a Qdrant, or let `lookalike up FOLDER` start one.")
    key = settings.qdrant_api_key
    access = store_access(settings.qdrant_url, os.environ)
    with warnings.catch_warnings():
        # Of a key sent without TLS: on loopback nobody listens, elsewhere the URL is the operator's decision.
        warnings.simplefilter("ignore")
        return QdrantClient(
            url=access.url,
            api_key=None if key is None else key.get_secret_value(),
            timeout=STORE_TIMEOUT_S,
            prefer_grpc=settings.qdrant_grpc,
            grpc_options=access.grpc_options() if settings.qdrant_grpc else None,
            limits=KEPT_ALIVE,
            check_compatibility=False,
            **access.http_arguments(),
        )


def library_root(settings: Settings) -> Path:
    """Folder of the library. Raises Misconfigured if none is named."""
    if settings.library is None:
        raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images.")
    return settings.library


def load_embedder(settings: Settings, backend: str) -> Embedder:
    """The model, loaded and ready. Raises Misconfigured."""
    enable_formats()
    return Embedder(model_path(settings), inference_batch=settings.inference_batch, backend=backend)


def opener_of(settings: Settings, embedder: Embedder) -> IndexOpener:
    """Opens the index that workers of these settings work with, through connections of its own."""
    wish = Wish(
        settings.name, embedder.card, settings.distance, library_id=settings.library_id, backend=embedder.backend
    )
    return IndexOpener(qdrant_of(settings), redis_of(settings), settings.keys, wish)


class WorkerContext:
    """The three tasks' logic over one store, one broker and one model. Opens the index when work needs it."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        search_priority: SearchPriority,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._embedder = embedder
        self._client = qdrant_of(settings)
        self._opener = opener_of(settings, embedder)
        self._standing: Standing | None = None
        self._confirmed_s = 0.0
        self._redis = redis_of(settings)
        self.poison = PoisonDetector(self._redis, settings.keys, longest_s=settings.decode_timeout_s + DECODE_GRACE_S)
        self.watchdog = DecodeTimeout(settings.decode_timeout_s)
        self._search_priority = search_priority
        self._now_s = now_s

    def at_work(self, work: Callable[["WorkerContext"], R], *, writes: bool = False) -> R:
        """What the work returns, which is done with an index that is there. The next try opens one that was not.

        Raises what `open` raises, and what the work does.
        """
        self.open(writes=writes)
        try:
            return work(self)
        except CollectionMissing:
            self._standing = None
            raise

    def open(self, *, writes: bool) -> None:
        """Opens the index if it is not open; one to write to is confirmed every few seconds.

        Raises Away; CollectionMismatch and Misconfigured for an index that may not be used, as IndexRefused to one
        that writes: its message must wait until somebody has mended that.
        """
        try:
            if self._standing is None or (writes and self._now_s() - self._confirmed_s > CONFIRM_S):
                self._open()
        except Misconfigured as error:
            self._standing = None
            if writes:
                raise IndexRefused(str(error)) from error
            raise

    def warm_up(self) -> None:
        """Asks the store what a search asks, so that the connection is open before the first one. Raises StoreAway."""
        nothing = [1.0] * self._embedder.card.dimension
        self.at_work(lambda context: context.index.nearest(nothing, 1))

    @property
    def standing(self) -> Standing:
        """The index that is open; ask for it at work."""
        assert self._standing is not None, "only at work"  # noqa: S101
        return self._standing

    @cached_property
    def index(self) -> QdrantIndex:
        """Its points."""
        return QdrantIndex(self._client, self.standing.name, request_bytes=self._settings.store_request_bytes)

    @cached_property
    def sync(self) -> Sync:
        """For workers that see the library. Raises Misconfigured on one that does not."""
        telemetry = Telemetry(self._redis, self._settings.keys)
        return Sync(
            library=Library(library_root(self._settings), max_bytes=self._settings.max_image_bytes),
            library_id=self.standing.identity.library_id,
            index=self.index,
            embedder=self._embedder,
            open_image=self._opened,
            give_way=self._search_priority.yield_to_search,
            count=lambda embedded, finished: telemetry.count_done(embedded=embedded, finished=finished),
        )

    @cached_property
    def search(self) -> Search:
        """For workers that answer; they need no library."""
        return Search(
            index=self.index,
            embedder=self._embedder,
            open_image=self._opened_query,
            take_query=self._take_query,
            distance=self._settings.distance,
            max_limit=self._settings.max_limit,
            max_query_bytes=self._settings.max_query_bytes,
        )

    @cached_property
    def read_queries(self) -> ReadQueries:
        """For workers that answer."""
        return ReadQueries(self.index, self.standing.identity)

    def _open(self) -> None:
        found = self._opener.open()
        if self._standing is None or (found.name, found.identity) != (self._standing.name, self._standing.identity):
            for made_of_it in ("index", "sync", "search", "reads"):
                self.__dict__.pop(made_of_it, None)
        self._standing, self._confirmed_s = found, self._now_s()

    def _opened(self, blob: bytes) -> DecodedImage:
        self.watchdog.next_image()
        return decode_image(blob, self._embedder.card, max_pixels=self._settings.max_image_pixels)

    def _opened_query(self, blob: bytes) -> DecodedImage:
        with self.watchdog.watching():
            return self._opened(blob)

    def _take_query(self, key: str) -> bytes | None:
        found: bytes | None = self._redis.get(self._settings.keys.query(key))  # type: ignore[assignment]
        return found
