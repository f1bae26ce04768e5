"""Builds what a worker process needs from the settings. Made after fork, connects on first use."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.events import Event, EventStream
from lookalike.broker.index_state import IndexState
from lookalike.broker.measurements import Measurements
from lookalike.broker.telemetry import Telemetry
from lookalike.errors import Misconfigured
from lookalike.library.joined.rules import rules_from_json
from lookalike.library.opening import reader_of
from lookalike.library.rules import Candidates
from lookalike.library.version import FileVersion
from lookalike.log import get_logger
from lookalike.settings import Settings
from models.decoding import DECODER_REVISION, Limits
from models.preprocess import Box
from worker.connecting import library_reader, opener_of, qdrant_of
from worker.delivery.poison import PoisonDetector
from worker.errors import CollectionMissing, IndexRefused
from worker.index.collection import open_current
from worker.index.collection_spec import OpenCollection
from worker.index.donor import Donor, donor_of
from worker.index.identity import Identity
from worker.index.points import ReusableVectors
from worker.index.qdrant import QdrantIndex, call_store
from worker.inference.decode_timeout import DecodeTimeout
from worker.inference.decoder import DecodedImage, decode_image
from worker.inference.embedder import Embedder
from worker.read import ReadQueries
from worker.searching.search import Bounds, Search
from worker.searching.search_priority import SearchPriority
from worker.syncing.sync import Sync
from worker.thumbnails import ThumbnailMaker
from worker.verdicts.contents import sha256_by_path
from worker.verdicts.kept import KeptVerdicts, verdicts_of

# The decode timeout is a second late at most; clocks of two machines differ.
DECODE_GRACE_S = 5
# A worker that writes checks this often that the index is still the one it opened: three requests.
CONFIRM_S = 5.0

R = TypeVar("R")
log = get_logger(__name__)


class WorkerContext:
    """The logic of the tasks over one store, one broker and one model. Opens the index when work needs it."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        search_priority: SearchPriority,
        *,
        collection: OpenCollection | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """With a `collection` that one is used until it is opened to be written to, whatever the alias leads to."""
        self._settings = settings
        self._embedder = embedder
        self._client = qdrant_of(settings)
        self._opener = opener_of(settings, embedder)
        self._collection = collection
        self._confirmed_s = -CONFIRM_S
        self._redis = redis_of(settings)
        self._events = EventStream(self._redis, settings.keys, most=settings.max_events)
        self.poison = PoisonDetector(self._redis, settings.keys, longest_s=settings.decode_timeout_s + DECODE_GRACE_S)
        self.decode_timeout = DecodeTimeout(settings.decode_timeout_s)
        self._search_priority = search_priority
        self._measurements = Measurements()
        self._now_s = now_s

    def with_index(self, work: Callable[["WorkerContext"], R], *, writes: bool = False) -> R:
        """The result of `work`, run with an open index. After a missing collection the next call opens it again.

        Raises what `open` raises, and what `work` raises.
        """
        self.open(writes=writes)
        try:
            return work(self)
        except CollectionMissing:
            self._collection = None
            raise

    def open(self, *, writes: bool) -> None:
        """Opens the index if it is not open; one to write to is confirmed every few seconds.

        Raises Unavailable; CollectionMismatch and Misconfigured for an index that may not be used, or IndexRefused if
        `writes`: the message must wait until the operator has repaired that.
        """
        try:
            if self._collection is None or (writes and self._now_s() - self._confirmed_s > CONFIRM_S):
                self._open()
        except Misconfigured as error:
            self._collection = None
            if writes:
                raise IndexRefused(str(error)) from error
            raise

    def warm_up(self) -> None:
        """Runs a search, so that the connection is open before the first real one. Raises StoreUnavailable."""
        nothing = [1.0] * self._embedder.card.dimension
        self.with_index(lambda context: context.index.find_nearest(nothing, 1))

    @property
    def collection(self) -> OpenCollection:
        """The collection of the open index; only within `with_index`."""
        assert self._collection is not None, "only within with_index"  # noqa: S101
        return self._collection

    @cached_property
    def index(self) -> QdrantIndex:
        """The points of the open index."""
        return QdrantIndex(
            self._client,
            self.collection.name,
            vectors=self.collection.identity.vectors,
            request_bytes=self._settings.store_request_bytes,
            hnsw_ef=self._settings.hnsw_ef,
        )

    @cached_property
    def sync(self) -> Sync:
        """The sync task's logic, for workers with the library. Raises Misconfigured on one without."""
        return Sync(
            library=library_reader(self._settings),
            library_id=self.collection.identity.library_id,
            generation=self._own_identity.generation,
            index=self.index,
            embedder=self._embedder,
            decode=functools.partial(self._decode, keeps_small=True),
            yield_to_search=self._search_priority.yield_to_search,
            read_rules=self._read_rules,
            publish=self._publish,
            report_undone=self._report_undone,
            count_done=self._count_done,
            measurements=self._measurements,
            donate=self._donate,
        )

    def search(self, images: Mapping[str, bytes]) -> Search:
        """The search tasks' logic, with the images that were sent for it, by key.

        It reads the library, where there is one, only for a box of a file.
        """
        return dataclasses.replace(self._search, read_query=images.get)

    @cached_property
    def _search(self) -> Search:
        reader = reader_of(self._settings)
        return Search(
            index=self.index,
            embedder=self._embedder,
            decode=self._decode_query,
            read_query=lambda _key: None,
            distance=self._settings.distance,
            dimensions=self._embedder.dimensions,
            bounds=Bounds.of(self._settings),
            read_library=None if reader is None else reader.read,
        )

    @cached_property
    def read_queries(self) -> ReadQueries:
        """The read task's logic, which needs no library."""
        identity, card = self.collection.identity, self._embedder.card
        return ReadQueries(
            self.index,
            identity,
            self._settings.max_sample_files,
            self.verdicts.page,
            near=card.near,
            similar=card.similar,
        )

    @cached_property
    def verdicts(self) -> KeptVerdicts:
        """Verdicts on pairs of files."""
        return verdicts_of(self._client, self._settings, sha256_of=functools.partial(sha256_by_path, self.index.handle))

    @property
    def _own_identity(self) -> Identity:
        """That of what is written now: of an older index with the decoder of this version."""
        return dataclasses.replace(self.collection.identity, decoder=DECODER_REVISION)

    @cached_property
    def _donor(self) -> Donor | None:
        """Where vectors of the generation before are; None for a first generation. Raises StoreUnavailable."""
        if self._settings.succeeds is None:
            return None
        current = call_store(open_current, self._client, self._settings.succeeds)
        before = None if current is None or current.name == self.collection.name else (current.name, current.identity)
        return donor_of(self._client, before, self._own_identity)

    def _donate(self, versions: Mapping[str, FileVersion]) -> Mapping[str, ReusableVectors]:
        return {} if self._donor is None else self._donor.vectors(versions)

    @cached_property
    def thumbnails(self) -> ThumbnailMaker:
        """The thumbnail task's logic."""
        settings, reader = self._settings, reader_of(self._settings)
        return ThumbnailMaker(
            index=self.index,
            limits=Limits(settings.max_image_pixels, settings.max_worker_mib * 2**20),
            max_bytes=settings.max_query_bytes,
            poison=self.poison,
            armed=self.decode_timeout.armed,
            read_library=None if reader is None else reader.read,
        )

    def _publish(self, events: Sequence[Event]) -> None:
        """Tells who follows the index. Nothing waits for them, and nothing fails for want of them."""
        try:
            self._events.add(events)
        except (RedisError, OSError) as error:
            log.warning("events are not told", events=len(events), why=str(error))

    def _report_undone(self, why: str) -> None:
        """Asks for a scan. Without the broker's answer the one of the next day finds it."""
        with suppress(RedisError, OSError):
            IndexState(self._redis, self._settings.keys).report_undone(why)

    def _count_done(self, embedded: int, finished: int) -> None:
        """Counts what a batch did, in one request. The batch is done without it, too."""
        measured = self._measurements.take()
        try:
            Telemetry(self._redis, self._settings.keys).count_done(
                embedded=embedded, finished=finished, measured=measured
            )
        except (RedisError, OSError) as error:
            log.warning("a batch is not counted", finished=finished, why=str(error))

    def _read_rules(self) -> Candidates | None:
        rules = IndexState(self._redis, self._settings.keys).rules()
        return None if rules is None else rules_from_json(rules)

    def _open(self) -> None:
        found = self._opener.open()
        if self._collection is None or (found.name, found.identity) != (
            self._collection.name,
            self._collection.identity,
        ):
            # All of them hold the former collection.
            for name, member in vars(WorkerContext).items():
                if isinstance(member, cached_property):
                    self.__dict__.pop(name, None)
        self._collection, self._confirmed_s = found, self._now_s()

    def _decode(self, blob: bytes, box: Box | None = None, *, keeps_small: bool = False) -> DecodedImage:
        self.decode_timeout.restart()
        return decode_image(
            blob,
            self._embedder.card,
            box,
            max_pixels=self._settings.max_image_pixels,
            max_memory_bytes=self._settings.max_worker_mib * 2**20,
            keeps_small=keeps_small,
        )

    def _decode_query(self, blob: bytes, box: Box | None = None) -> DecodedImage:
        with self.decode_timeout.armed():
            return self._decode(blob, box)
