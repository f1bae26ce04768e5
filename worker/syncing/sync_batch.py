"""The writes of one round of a sync: decodes and embeds what was read together, and writes it in one request."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from structlog.contextvars import bound_contextvars

from lookalike.broker.events import Event
from lookalike.broker.measurements import Measurements
from lookalike.library.errors import Rejected
from lookalike.library.reader import Content
from lookalike.library.version import NO_VERSION, FileVersion
from lookalike.log import get_logger
from lookalike.search.query import By
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.points import PointWrite, ReusableVectors
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import DecodedImage
from worker.retry_budget import Retrying, without_retry

# So much of a batch is read before it is decoded: most batches need one read of the index, and a batch of large
# files does not fill the memory.
READ_TOGETHER_BYTES = 64 * 2**20
MOST_REASON_CHARS = 1000
log = get_logger(__name__)


class Embeds(Protocol):
    """Turns images into vectors."""

    def describe(
        self, images: Sequence[npt.NDArray[np.uint8]], before_run: Callable[[], None] = ...
    ) -> Mapping[By, npt.NDArray[np.float32]]:
        """N arrays uint8 [H, W, 3] -> all outputs, float32 [n, D] each; calls `before_run` before each run."""


@dataclass(frozen=True, kw_only=True)
class BatchTools:
    """What a batch works with: one index, one model, and what the worker wants around its work."""

    index: QdrantIndex
    generation: str
    embedder: Embeds
    decode: Callable[[bytes], DecodedImage]
    # Entered around all code that a broken image can crash or hang.
    guard_poison: Callable[[], AbstractContextManager[None]] = nullcontext
    # Called before each piece of work that a search would notice.
    yield_to_search: Callable[[], None] = lambda: None
    # Told of each file once the index is written.
    publish: Callable[[Sequence[Event]], None] = lambda _: None
    # Told of files that the next scan has to try again, with the reason of one of them.
    report_undone: Callable[[str], None] = lambda _: None
    # Around each write: a store that is briefly unavailable must not cost the embeddings.
    retry_while_unavailable: Retrying = without_retry
    measurements: Measurements = field(default_factory=Measurements)


class Batch:
    """Collects the writes of one round; decodes and embeds what was read together."""

    def __init__(self, tools: BatchTools) -> None:
        self._tools = tools
        self._pending: list[tuple[str, Content]] = []
        self._reusable: dict[str, ReusableVectors] = {}
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self.writes: list[PointWrite] = []
        self.versions: dict[str, FileVersion] = {}
        self.tally: Counter[str] = Counter()
        self._tallied_as: dict[str, str] = {}
        # Reasons of rejections that may pass.
        self._undone: list[str] = []

    def add_content(self, path: str, content: Content) -> None:
        """Adds a file that was read; embeds what is pending when it is much."""
        self._pending.append((path, content))
        held_bytes = sum(len(content.blob) for _, content in self._pending)
        if held_bytes >= READ_TOGETHER_BYTES:
            self.embed_pending()

    def reject(self, path: str, version: FileVersion, why: Rejected) -> None:
        """Adds a rejection of this version of the file."""
        # A version that no file has makes every rescan retry what may succeed without a change of the file.
        recorded = NO_VERSION if why.may_pass else version
        self._undone += [str(why)] if why.may_pass else []
        payload = rejected_payload(path, recorded, _storable(str(why)), self._now, is_poison=why.is_poison)
        self.writes.append(PointWrite(payload))
        self.versions[path] = version
        self.tally["rejected"] += 1

    def write_all(self) -> None:
        """Writes all; a refused point is rejected, and each scan retries it. Raises Unavailable, StoreRefused."""
        with self._tools.measurements.timed("upsert"):
            refused = self._tools.index.write(self.writes, self._tools.retry_while_unavailable)
        reasons = []
        for write, error in refused:
            path = write.payload["path"]
            if write.vectors is None:
                # A rejection that cannot be written has no further fallback.
                raise error
            log.warning("refused", path=path, why=str(error))
            self._undone.append(str(error))
            reasons.append(PointWrite(rejected_payload(path, NO_VERSION, _storable(str(error)), self._now)))
            self.tally["rejected"] += 1
            self.tally[self._tallied_as[path]] -= 1
        for _, error in self._tools.index.write(reasons, self._tools.retry_while_unavailable):
            raise error
        refused_paths = {write.payload["path"] for write, _ in refused}
        kept = [write for write in self.writes if write.payload["path"] not in refused_paths]
        self._tools.publish([_event(write.payload) for write in (*kept, *reasons)])
        if self._undone:
            self._tools.report_undone(self._undone[0])

    def copy(self, path: str, version: FileVersion, found: ReusableVectors) -> None:
        """Adds a file whose vectors another generation has."""
        payload = indexed_payload(path, version, found.metadata, self._now, self._tools.generation)
        self.writes.append(PointWrite(payload, found.vectors))
        self.versions[path] = version
        self._tallied_as[path] = "copied"
        self.tally["copied"] += 1

    def embed_pending(self) -> None:
        """Gives every pending path a write: with vectors that exist already, new ones, or a reason."""
        pending, self._pending = self._pending, []
        contents = {content.sha256: content.blob for _, content in pending}
        paths = {content.sha256: path for path, content in pending}
        with self._tools.measurements.timed("lookup"):
            self._reusable |= self._tools.index.vectors_by_sha256(contents.keys() - self._reusable.keys())
        with self._tools.guard_poison():
            fresh, reasons = self._embed_new(contents, paths)
        for path, content in pending:
            reusable = self._reusable.get(content.sha256)
            if reusable is None:
                self.reject(path, content.version, reasons[content.sha256])
                continue
            payload = indexed_payload(path, content.version, reusable.metadata, self._now, self._tools.generation)
            self.writes.append(PointWrite(payload, reusable.vectors))
            self.versions[path] = content.version
            self._tallied_as[path] = "embedded" if content.sha256 in fresh else "copied"
            self.tally[self._tallied_as[path]] += 1
            fresh.discard(content.sha256)

    def _embed_new(
        self, contents: Mapping[str, bytes], paths: Mapping[str, str]
    ) -> tuple[set[str], dict[str, Rejected]]:
        """Embeds the contents without reusable vectors. Returns their hashes, and the reasons of those that failed."""
        images: dict[str, DecodedImage] = {}
        reasons: dict[str, Rejected] = {}
        for sha256, blob in contents.items():
            if sha256 not in self._reusable:
                self._tools.yield_to_search()
                try:
                    # What the decoding libraries log names the file.
                    with bound_contextvars(path=paths[sha256]), self._tools.measurements.timed("decode"):
                        images[sha256] = self._tools.decode(blob)
                except Rejected as error:
                    reasons[sha256] = error
        pixels = [image.pixels for image in images.values()]
        if not pixels:
            return set(), reasons
        with self._tools.measurements.timed("embed"):
            described = self._tools.embedder.describe(pixels, self._tools.yield_to_search)
        for row, (sha256, image) in enumerate(images.items()):
            metadata = ImageMetadata(sha256, image.format, image.width_px, image.height_px, image.taken_at, image.small)
            vectors = {by: described[by][row].tolist() for by in self._tools.index.vectors}
            self._reusable[sha256] = ReusableVectors(metadata, vectors)
        return set(images), reasons


def _event(payload: Mapping[str, Any]) -> Event:
    return Event(payload["status"], payload["path"], payload["indexed_at"], payload.get("reason", ""))


def _storable(reason: str) -> str:
    """The reason in a form that any store accepts: valid Unicode of limited length."""
    return reason.encode("utf-8", "backslashreplace").decode()[:MOST_REASON_CHARS]
