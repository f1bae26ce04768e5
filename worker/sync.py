"""Makes the index agree with these paths, whatever happened to them: a sync may run twice, late or never.

The rule has two halves. First: look at the file and at the index, and make them agree. Second: look at the
file again after every write or delete, and if it is no longer what was written, start over with that path.
Two tasks on one path may overlap in any way and the later look wins; the next rescan finds what is still missed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
from structlog.contextvars import bound_contextvars

from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.paths import unescape_path
from lookalike.library.reader import Content, LibraryReader
from lookalike.library.rules import Candidates
from lookalike.library.version import NO_VERSION, FileVersion
from lookalike.log import get_logger
from lookalike.messages import KnownFile, SyncMessage, SyncReply
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.qdrant import PointWrite, QdrantIndex, ReusableVector
from worker.inference.decoder import DecodedImage
from worker.retry_budget import Retrying, without_retry

# A file that is being written is looked at again a few times without a pause; then the task waits.
ROUNDS = 4
# So much of a batch is read before it is decoded: most batches need one read of the index, and a batch of large
# files does not fill the memory.
READ_TOGETHER_BYTES = 64 * 2**20
MOST_REASON_CHARS = 1000
log = get_logger(__name__)


class Embeds(Protocol):
    """Turns images into vectors."""

    def embed(
        self, images: Sequence[npt.NDArray[np.uint8]], before_run: Callable[[], None] = ...
    ) -> npt.NDArray[np.float32]:
        """Embeds n arrays uint8 [H, W, 3] -> float32 [n, D]; calls `before_run` before each run of the model."""


class StillChanging(Unavailable):
    """Files kept changing while they were looked at."""


@dataclass
class Outcome:
    """The counts so far, the versions that this task wrote itself, and the files that the disk failed to read."""

    tally: Counter[str] = field(default_factory=Counter)
    written: dict[str, FileVersion] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sync:
    """The task's logic over one library, one index and one model."""

    library: LibraryReader
    library_id: str
    generation: str
    index: QdrantIndex
    embedder: Embeds
    decode: Callable[[bytes], DecodedImage]
    count_done: Callable[[int, int], None]
    # Entered around all code that a broken image can crash or hang.
    guard_poison: Callable[[], AbstractContextManager[None]] = nullcontext
    # Called before each piece of work that a search would notice.
    yield_to_search: Callable[[], None] = lambda: None
    # Around each write: a store that is briefly unavailable must not cost the embeddings.
    retry_while_unavailable: Retrying = without_retry
    # The rules of the library that the producer stored, None if there are none.
    read_rules: Callable[[], Candidates | None] = lambda: None

    def sync_paths(self, message: SyncMessage) -> SyncReply:
        """Makes index and library agree on the paths of the message.

        Raises Unavailable if all of it must wait; StoreRefused if the store accepts none of it; ReadFailed when it is
        done except for files that the disk cannot read.
        """
        reported_gone = frozenset(message.gone) if message.library == self.library_id else frozenset()
        outcome = Outcome()
        self._delete_left_out(message, outcome)
        todo = list(dict.fromkeys([*message.paths, *message.gone]))
        for _ in range(ROUNDS):
            todo = self._agree(todo, reported_gone, outcome, retry_rejected=message.retry_rejected)
            if not todo:
                if outcome.unread:
                    raise ReadFailed(outcome.unread)
                return SyncReply(**outcome.tally)
        raise StillChanging(f"{todo[0]!r} keeps changing")

    def reject_paths(self, reasons: Mapping[str, Rejected]) -> SyncReply:
        """Rejects these paths without opening them, for the given reasons. Raises Unavailable, StoreRefused."""
        batch = _Batch(self)
        for path, reason in reasons.items():
            version = self.library.version(path)
            if version is not None:
                batch.reject(path, version, reason)
        batch.write_all()
        self.count_done(0, len(batch.writes))
        return SyncReply(rejected=len(batch.writes), absent=len(reasons) - len(batch.writes))

    def _agree(
        self, paths: Sequence[str], reported_gone: frozenset[str], outcome: Outcome, *, retry_rejected: bool
    ) -> list[str]:
        """One round of both halves of the rule; returns the paths that need another round."""
        known = self.index.get_files(paths)
        changed, absent = self._find_changes(paths, known, outcome, retry_rejected=retry_rejected)
        unsettled = self._write(changed, outcome)
        unsettled += self._delete(absent, known, reported_gone, outcome)
        return unsettled

    def _find_changes(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], outcome: Outcome, *, retry_rejected: bool
    ) -> tuple[list[str], list[str]]:
        changed, absent = [], []
        for path in paths:
            version, file = self.library.version(path), known.get(path)
            if version is None:
                absent.append(path)
            elif file is None or not file.describes(version) or (retry_rejected and file.status == "rejected"):
                changed.append(path)
            elif path not in outcome.written:
                outcome.tally["unchanged"] += 1
        return changed, absent

    def _write(self, paths: Sequence[str], outcome: Outcome) -> list[str]:
        """Reads, embeds and upserts; returns the paths that changed meanwhile."""
        batch = _Batch(self)
        unsettled = []
        for path in paths:
            self.yield_to_search()
            try:
                content = self.library.read(path)
            except Changing:
                unsettled.append(path)
                continue
            except ReadFailed as error:
                outcome.unread |= error.reasons
                continue
            except Rejected as error:
                version = self.library.version(path)
                if version is not None:
                    batch.reject(path, version, error)
                continue
            if content is not None:
                batch.add_content(path, content)
        batch.embed_pending()
        self.yield_to_search()
        batch.write_all()
        self.count_done(batch.tally["embedded"], len(batch.writes))
        outcome.tally.update(batch.tally)
        for path, version in batch.versions.items():
            outcome.written[path] = version
            if self.library.version(path) != version:
                unsettled.append(path)
        return unsettled

    def _delete(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], reported_gone: frozenset[str], outcome: Outcome
    ) -> list[str]:
        """Deletes points of files that two witnesses found missing; returns the paths that came back meanwhile."""
        # A point that this task wrote itself may go without a second witness: the task saw the file and saw it go.
        to_delete = [path for path in paths if path in known and (path in reported_gone or path in outcome.written)]
        to_delete = [path for path in to_delete if self.library.is_gone(path)]
        self.index.delete(to_delete, self.retry_while_unavailable)
        outcome.tally["deleted"] += len(to_delete)
        outcome.tally["absent"] += len(paths) - len(to_delete)
        return [path for path in to_delete if self.library.version(path) is not None]

    def _delete_left_out(self, message: SyncMessage, outcome: Outcome) -> None:
        """Deletes what the library's rules leave out, if this worker holds the same rules and finds so itself."""
        if not message.left_out or message.library != self.library_id:
            return
        rules = self.read_rules()
        if rules is None or rules.digest != message.rules:
            return
        known = self.index.get_files(message.left_out)
        to_delete = [path for path in known if not rules.is_candidate(unescape_path(path))]
        self.index.delete(to_delete, self.retry_while_unavailable)
        outcome.tally["deleted"] += len(to_delete)


class _Batch:
    """Collects the writes of one round; decodes and embeds what was read together."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._pending: list[tuple[str, Content]] = []
        self._reusable: dict[str, ReusableVector] = {}
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self.writes: list[PointWrite] = []
        self.versions: dict[str, FileVersion] = {}
        self.tally: Counter[str] = Counter()
        self._tallied_as: dict[str, str] = {}

    def add_content(self, path: str, content: Content) -> None:
        self._pending.append((path, content))
        held_bytes = sum(len(content.blob) for _, content in self._pending)
        if held_bytes >= READ_TOGETHER_BYTES:
            self.embed_pending()

    def reject(self, path: str, version: FileVersion, why: Rejected) -> None:
        # A version that no file has makes every rescan retry what may succeed without a change of the file.
        recorded = NO_VERSION if why.may_pass else version
        payload = rejected_payload(path, recorded, _storable(str(why)), self._now, is_poison=why.is_poison)
        self.writes.append(PointWrite(payload))
        self.versions[path] = version
        self.tally["rejected"] += 1

    def write_all(self) -> None:
        """Writes all; a refused point is rejected, and each scan retries it. Raises Unavailable, StoreRefused."""
        refused = self._sync.index.write(self.writes, self._sync.retry_while_unavailable)
        reasons = []
        for write, error in refused:
            path = write.payload["path"]
            if write.vector is None:
                # A rejection that cannot be written has no further fallback.
                raise error
            log.warning("refused", path=path, why=str(error))
            reasons.append(PointWrite(rejected_payload(path, NO_VERSION, _storable(str(error)), self._now)))
            self.tally["rejected"] += 1
            self.tally[self._tallied_as[path]] -= 1
        for _, error in self._sync.index.write(reasons, self._sync.retry_while_unavailable):
            raise error

    def embed_pending(self) -> None:
        """Gives every pending path a write: with a vector that exists already, a new one, or a reason."""
        pending, self._pending = self._pending, []
        contents = {content.sha256: content.blob for _, content in pending}
        paths = {content.sha256: path for path, content in pending}
        self._reusable |= self._sync.index.vectors_by_sha256(contents.keys() - self._reusable.keys())
        with self._sync.guard_poison():
            fresh, reasons = self._embed_new(contents, paths)
        for path, content in pending:
            reusable = self._reusable.get(content.sha256)
            if reusable is None:
                self.reject(path, content.version, reasons[content.sha256])
                continue
            payload = indexed_payload(path, content.version, reusable.metadata, self._now, self._sync.generation)
            self.writes.append(PointWrite(payload, reusable.vector))
            self.versions[path] = content.version
            self._tallied_as[path] = "embedded" if content.sha256 in fresh else "copied"
            self.tally[self._tallied_as[path]] += 1
            fresh.discard(content.sha256)

    def _embed_new(
        self, contents: Mapping[str, bytes], paths: Mapping[str, str]
    ) -> tuple[set[str], dict[str, Rejected]]:
        """Embeds the contents without a reusable vector. Returns their hashes, and the reasons of those that failed."""
        images: dict[str, DecodedImage] = {}
        reasons: dict[str, Rejected] = {}
        for sha256, blob in contents.items():
            if sha256 not in self._reusable:
                self._sync.yield_to_search()
                try:
                    # What the decoding libraries log names the file.
                    with bound_contextvars(path=paths[sha256]):
                        images[sha256] = self._sync.decode(blob)
                except Rejected as error:
                    reasons[sha256] = error
        vectors = self._sync.embedder.embed([image.pixels for image in images.values()], self._sync.yield_to_search)
        for (sha256, image), vector in zip(images.items(), vectors, strict=True):
            metadata = ImageMetadata(sha256, image.format, image.width_px, image.height_px, image.taken_at)
            self._reusable[sha256] = ReusableVector(metadata, vector.tolist())
        return set(images), reasons


def _storable(reason: str) -> str:
    """The reason in a form that any store accepts: valid Unicode of limited length."""
    return reason.encode("utf-8", "backslashreplace").decode()[:MOST_REASON_CHARS]
