"""Makes the index agree with these paths. Does not care what happened to them, so it may run twice, late or never.

The rule has two halves. First: look at the file and at the index, and make them agree. Second: look at the
file again after every write or delete, and if it is no longer what was written, start over with that path.
Two tasks on one path may overlap in any way and the later look wins; what slips through even so is found by
the next rescan.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.log import fields
from lookalike.messages import KnownFile, SyncMessage, SyncReply
from worker.errors import ReadFailed, Rejected, Unavailable
from worker.index.payload import ImageMetadata, indexed_payload, rejected_payload
from worker.index.qdrant import PointWrite, QdrantIndex, ReusableVector
from worker.inference.decoder import DecodedImage
from worker.library import NO_VERSION, Changing, Content, Library, Version
from worker.retry import Waits, without_retry

# A file that is being written is looked at again a few times at once; then the task waits.
ROUNDS = 4
# So much of a batch is read before it is decoded: one question to the index for most batches, and a batch of
# large files does not fill the memory.
READ_TOGETHER_BYTES = 64 * 2**20
MOST_REASON_CHARS = 1000
log = logging.getLogger(__name__)


class Embeds(Protocol):
    """What turns pictures into vectors."""

    def embed(
        self, pictures: Sequence[npt.NDArray[np.uint8]], before_run: Callable[[], None] = ...
    ) -> npt.NDArray[np.float32]:
        """Embeds n arrays uint8 [H, W, 3] -> float32 [n, D]; calls `before_run` before each run of the model."""


class StillChanging(Unavailable):
    """Files kept changing while they were looked at."""


@dataclass
class Outcome:
    """What became of the paths so far, which of them this task wrote itself, and over which the disk failed."""

    tally: Counter[str] = field(default_factory=Counter)
    written: dict[str, Version] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sync:
    """The task's logic over one library, one index and one model."""

    library: Library
    library_id: str
    index: QdrantIndex
    embedder: Embeds
    open_image: Callable[[bytes], DecodedImage]
    count: Callable[[int, int], None]
    # Entered around everything that foreign bytes can crash or hang.
    poison: Callable[[], AbstractContextManager[None]] = nullcontext
    # Called before each piece of work that a search would notice.
    give_way: Callable[[], None] = lambda: None
    # Around each write: what was embedded is not embedded again because the store took a moment.
    retry_while_unavailable: Waits = without_retry

    def run(self, message: SyncMessage) -> SyncReply:
        """Makes index and library agree on the paths of the message.

        Raises Away if all of it must wait; StoreRefused if the store takes none of it; Unread when it is done but for
        some files that the disk cannot read.
        """
        seen_gone = frozenset(message.gone) if message.library == self.library_id else frozenset()
        outcome = Outcome()
        todo = list(dict.fromkeys([*message.paths, *message.gone]))
        for _ in range(ROUNDS):
            todo = self._agree(todo, seen_gone, outcome, retry_rejected=message.retry_rejected)
            if not todo:
                if outcome.unread:
                    raise ReadFailed(outcome.unread)
                return SyncReply(**outcome.tally)
        raise StillChanging(f"{todo[0]!r} keeps changing")

    def reject(self, reasons: Mapping[str, Rejected]) -> SyncReply:
        """Rejects these paths unopened, for reasons that somebody else found out. Raises Away, StoreRefused."""
        batch = _Batch(self)
        for path, reason in reasons.items():
            version = self.library.version(path)
            if version is not None:
                batch.reject(path, version, reason)
        batch.write()
        self.count(0, len(batch.writes))
        return SyncReply(rejected=len(batch.writes), absent=len(reasons) - len(batch.writes))

    def _agree(
        self, paths: Sequence[str], seen_gone: frozenset[str], outcome: Outcome, *, retry_rejected: bool
    ) -> list[str]:
        """One round of both halves of the rule; returns the paths that need another one."""
        known = self.index.get_files(paths)
        changed, absent = self._look(paths, known, outcome, retry_rejected=retry_rejected)
        restless = self._write(changed, outcome)
        restless += self._delete(absent, known, seen_gone, outcome)
        return restless

    def _look(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], outcome: Outcome, *, retry_rejected: bool
    ) -> tuple[list[str], list[str]]:
        changed, absent = [], []
        for path in paths:
            version, file = self.library.version(path), known.get(path)
            if version is None:
                absent.append(path)
            elif file is None or not _describes(file, version) or (retry_rejected and file.status == "rejected"):
                changed.append(path)
            elif path not in outcome.written:
                outcome.tally["unchanged"] += 1
        return changed, absent

    def _write(self, paths: Sequence[str], outcome: Outcome) -> list[str]:
        """Reads, embeds and upserts; returns what changed meanwhile."""
        batch = _Batch(self)
        restless = []
        for path in paths:
            self.give_way()
            try:
                content = self.library.read(path)
            except Changing:
                restless.append(path)
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
                batch.add(path, content)
        batch.embed()
        self.give_way()
        batch.write()
        self.count(batch.tally["embedded"], len(batch.writes))
        outcome.tally.update(batch.tally)
        for path, version in batch.versions.items():
            outcome.written[path] = version
            if self.library.version(path) != version:
                restless.append(path)
        return restless

    def _delete(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], seen_gone: frozenset[str], outcome: Outcome
    ) -> list[str]:
        """Deletes points of files that two witnesses saw gone; returns what came back meanwhile."""
        # What this task wrote itself a moment ago it may take back: it saw the file and saw it go.
        doomed = [path for path in paths if path in known and (path in seen_gone or path in outcome.written)]
        doomed = [path for path in doomed if self.library.is_gone(path)]
        self.index.delete(doomed, self.retry_while_unavailable)
        outcome.tally["deleted"] += len(doomed)
        outcome.tally["absent"] += len(paths) - len(doomed)
        return [path for path in doomed if self.library.version(path) is not None]


class _Batch:
    """Collects the writes of one round; decodes and embeds what was read together."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._pending: list[tuple[str, Content]] = []
        self._donors: dict[str, ReusableVector] = {}
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        self.writes: list[PointWrite] = []
        self.versions: dict[str, Version] = {}
        self.tally: Counter[str] = Counter()
        self._how: dict[str, str] = {}

    def add(self, path: str, content: Content) -> None:
        self._pending.append((path, content))
        held_bytes = sum(len(content.blob) for _, content in self._pending)
        if held_bytes >= READ_TOGETHER_BYTES:
            self.embed()

    def reject(self, path: str, version: Version, why: Rejected) -> None:
        # A version that no file has makes every rescan try again what may pass without the file changing.
        recorded = NO_VERSION if why.may_pass else version
        self.writes.append(PointWrite(rejected_payload(path, recorded, _sayable(str(why)), self._now)))
        self.versions[path] = version
        self.tally["rejected"] += 1

    def write(self) -> None:
        """Writes all; what the store refuses is rejected, and each scan tries it again. Raises Away, StoreRefused."""
        refused = self._sync.index.write(self.writes, self._sync.retry_while_unavailable)
        reasons = []
        for write, error in refused:
            path = write.payload["path"]
            if write.vector is None:
                # A rejection that cannot be written can be rejected no more.
                raise error
            log.warning(fields("refused", path=path, why=str(error)))
            reasons.append(PointWrite(rejected_payload(path, NO_VERSION, _sayable(str(error)), self._now)))
            self.tally["rejected"] += 1
            self.tally[self._how[path]] -= 1
        for _, error in self._sync.index.write(reasons, self._sync.retry_while_unavailable):
            raise error

    def embed(self) -> None:
        """Gives every pending path a write: with a vector that exists already, or a new one, or a reason."""
        pending, self._pending = self._pending, []
        contents = {content.sha256: content.blob for _, content in pending}
        self._donors |= self._sync.index.vectors_by_sha256(contents.keys() - self._donors.keys())
        with self._sync.poison():
            fresh, reasons = self._embed_new(contents)
        for path, content in pending:
            donor = self._donors.get(content.sha256)
            if donor is None:
                self.reject(path, content.version, reasons[content.sha256])
                continue
            payload = indexed_payload(path, content.version, donor.metadata, self._now)
            self.writes.append(PointWrite(payload, donor.vector))
            self.versions[path] = content.version
            self._how[path] = "embedded" if content.sha256 in fresh else "copied"
            self.tally[self._how[path]] += 1
            fresh.discard(content.sha256)

    def _embed_new(self, contents: Mapping[str, bytes]) -> tuple[set[str], dict[str, Rejected]]:
        """Embeds what nobody has a vector for. Returns the hashes of those, and the reasons of those that failed."""
        pictures: dict[str, DecodedImage] = {}
        reasons: dict[str, Rejected] = {}
        for sha256, blob in contents.items():
            if sha256 not in self._donors:
                self._sync.give_way()
                try:
                    pictures[sha256] = self._sync.open_image(blob)
                except Rejected as error:
                    reasons[sha256] = error
        vectors = self._sync.embedder.embed([picture.pixels for picture in pictures.values()], self._sync.give_way)
        for (sha256, picture), vector in zip(pictures.items(), vectors, strict=True):
            facts = ImageMetadata(sha256, picture.format, picture.width_px, picture.height_px, picture.taken_at)
            self._donors[sha256] = ReusableVector(facts, vector.tolist())
        return set(pictures), reasons


def _sayable(reason: str) -> str:
    """A reason that any store takes: Unicode, and not longer than somebody reads."""
    return reason.encode("utf-8", "backslashreplace").decode()[:MOST_REASON_CHARS]


def _describes(file: KnownFile, version: Version) -> bool:
    return file.describes(version.size_bytes, version.mtime_ns, version.ctime_ns)
