"""Makes the index agree with these paths, whatever happened to them: a sync may run twice, late or never.

The rule has two halves. First: look at the file and at the index, and make them agree. Second: look at the
file again after every write or delete, and if it is no longer what was written, start over with that path.
Two tasks on one path may overlap in any way and the later look wins; the next rescan finds what is still missed.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lookalike.broker.events import Event
from lookalike.broker.measurements import BATCH_FILES
from lookalike.library.errors import Changing, ReadFailed, Rejected, Unavailable
from lookalike.library.kinds import Reader
from lookalike.library.paths import unescape_path
from lookalike.library.rules import Candidates
from lookalike.library.version import FileVersion
from lookalike.messages import KnownFile, SyncMessage, SyncReply
from worker.index.donor import Donate, no_donor
from worker.syncing.sync_batch import Batch, BatchTools

# A file that is being written is looked at again a few times without a pause; then the task waits.
ROUNDS = 4


class StillChanging(Unavailable):
    """Files kept changing while they were looked at."""


@dataclass
class Outcome:
    """The counts so far, the versions that this task wrote itself, and the files that the disk failed to read."""

    tally: Counter[str] = field(default_factory=Counter)
    written: dict[str, FileVersion] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    finished: int = 0


@dataclass(frozen=True, kw_only=True)
class Sync(BatchTools):
    """The task's logic over one library, one index and one model."""

    library: Reader
    library_id: str
    # Told of inferences and finished files; writes the measurements, too.
    count_done: Callable[[int, int], None]
    # The rules of the library that the producer stored, None if there are none.
    read_rules: Callable[[], Candidates | None] = lambda: None
    # Vectors that the generation before has already.
    donate: Donate = no_donor

    def sync_paths(self, message: SyncMessage) -> SyncReply:
        """Makes index and library agree on the paths of the message.

        Raises Unavailable if all of it must wait; StoreRefused if the store accepts none of it; ReadFailed when it is
        done except for files that the disk cannot read.
        """
        outcome = Outcome()
        self.measurements.observe(BATCH_FILES, len(message.paths) + len(message.gone) + len(message.left_out))
        try:
            return self._sync_paths(message, outcome)
        finally:
            for kind, files in outcome.tally.items():
                self.measurements.count("images", kind, files)
            self.count_done(outcome.tally["embedded"], outcome.finished)

    def _sync_paths(self, message: SyncMessage, outcome: Outcome) -> SyncReply:
        reported_gone = frozenset(message.gone) if message.library == self.library_id else frozenset()
        self._delete_left_out(message, outcome)
        todo = self.library.present([*dict.fromkeys([*message.paths, *message.gone])])
        for _ in range(ROUNDS):
            todo = self._agree(todo, reported_gone, outcome, retry_rejected=message.retry_rejected)
            if not todo:
                if outcome.unread:
                    raise ReadFailed(outcome.unread)
                return SyncReply(**outcome.tally)
        raise StillChanging(f"{todo[0]!r} keeps changing")

    def reject_paths(self, reasons: Mapping[str, Rejected]) -> SyncReply:
        """Rejects these paths without opening them, for the given reasons. Raises Unavailable, StoreRefused."""
        batch = Batch(self)
        for path, reason in reasons.items():
            version = self.library.version(path)
            if version is not None:
                batch.reject(path, version, reason)
        batch.write_all()
        self.measurements.count("images", "rejected", len(batch.writes))
        self.count_done(0, len(batch.writes))
        return SyncReply(rejected=len(batch.writes), absent=len(reasons) - len(batch.writes))

    def _agree(
        self, paths: Sequence[str], reported_gone: frozenset[str], outcome: Outcome, *, retry_rejected: bool
    ) -> list[str]:
        """One round of both halves of the rule; returns the paths that need another round."""
        with self.measurements.timed("lookup"):
            known = self.index.get_files(paths)
        changed, absent = self._find_changes(paths, known, outcome, retry_rejected=retry_rejected)
        unsettled = self._write(changed, outcome)
        unsettled += self._delete(absent, known, reported_gone, outcome)
        return unsettled

    def _find_changes(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], outcome: Outcome, *, retry_rejected: bool
    ) -> tuple[dict[str, FileVersion], list[str]]:
        changed: dict[str, FileVersion] = {}
        absent = []
        versions = self.library.versions(paths)
        for path in paths:
            version, file = versions.get(path), known.get(path)
            if version is None:
                absent.append(path)
            elif file is None or not file.describes(version) or (retry_rejected and file.status == "rejected"):
                changed[path] = version
            elif path not in outcome.written:
                outcome.tally["unchanged"] += 1
        return changed, absent

    def _write(self, changed: Mapping[str, FileVersion], outcome: Outcome) -> list[str]:
        """Reads, embeds and upserts these files; returns the paths that changed meanwhile."""
        batch = Batch(self)
        unsettled = []
        donated = self._copy_donated(changed, batch)
        to_read = {path: version for path, version in changed.items() if path not in donated}
        self.library.expect(to_read)
        for path in to_read:
            self.yield_to_search()
            try:
                with self.measurements.timed("read"):
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
        outcome.finished += len(batch.writes)
        outcome.tally.update(batch.tally)
        outcome.written |= batch.versions
        now = self.library.versions([*batch.versions])
        return unsettled + [path for path, version in batch.versions.items() if now.get(path) != version]

    def _copy_donated(self, versions: Mapping[str, FileVersion], batch: Batch) -> frozenset[str]:
        """Writes what the generation before has vectors of; returns these paths."""
        found = self.donate(versions) if versions else {}
        for path, vectors in found.items():
            batch.copy(path, versions[path], vectors)
        return frozenset(found)

    def _delete(
        self, paths: Sequence[str], known: Mapping[str, KnownFile], reported_gone: frozenset[str], outcome: Outcome
    ) -> list[str]:
        """Deletes points of files that two witnesses found missing; returns the paths that came back meanwhile."""
        # A point that this task wrote itself may go without a second witness: the task saw the file and saw it go.
        to_delete = [path for path in paths if path in known and (path in reported_gone or path in outcome.written)]
        to_delete = [path for path in to_delete if self.library.is_gone(path)]
        self._remove(to_delete, outcome)
        outcome.tally["absent"] += len(paths) - len(to_delete)
        return [path for path in to_delete if self.library.version(path) is not None]

    def _delete_left_out(self, message: SyncMessage, outcome: Outcome) -> None:
        """Deletes what the library's rules leave out, if this worker holds the same rules and finds so itself."""
        if not message.left_out or message.library != self.library_id:
            return
        rules = self.read_rules()
        if rules is None or rules.digest != message.rules:
            return
        with self.measurements.timed("lookup"):
            known = self.index.get_files(message.left_out)
        to_delete = [path for path in known if not rules.is_candidate(unescape_path(path))]
        self._remove(to_delete, outcome)

    def _remove(self, paths: Sequence[str], outcome: Outcome) -> None:
        if paths:
            with self.measurements.timed("delete"):
                self.index.delete(paths, self.retry_while_unavailable)
        outcome.tally["deleted"] += len(paths)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.publish([Event("removed", path, now) for path in paths])
