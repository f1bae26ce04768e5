"""A scan: compares the whole library with the whole index in constant memory; publishes the difference to `rescan`.

1. Count the files (producer/scanning/file_counter.py), so that their number is known at once.
2. Page through the index and check which of its files are missing from the library.
3. Walk the library and look up the files in the index, 1,000 at a time. A new file with the size and mtime of a
   missing one is its new name.
4. Delete the missing files that did not move, after everything else.

A scan waits for a broker, store or worker that is unavailable. It ends early when the library goes offline or
another scan supersedes it.
"""

import itertools
import time
from collections.abc import Callable, Iterator

from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import EMPTY, FileEntry
from lookalike.library.kinds import Library
from lookalike.library.paths import escape_path
from lookalike.library.version import FileVersion
from lookalike.log import get_logger
from lookalike.messages import MAX_MESSAGE_PATHS, CountsReply
from producer.debounce import Debouncer
from producer.publishing.batcher import Change
from producer.publishing.in_flight import InFlight
from producer.publishing.publisher import ScanPublisher
from producer.scanning.index_client import IndexClient
from producer.scanning.library_state import NO_DIFFERENCES, Differences
from producer.scanning.planner import MAX_MISSING_PATHS, DeletionGuard, ScanPlan
from producer.scanning.scan_requests import ScanRequests
from producer.watching.events import Event, Touched

log = get_logger(__name__)

# A first scan of a million files lasts for hours, because it waits for the workers. Events lost meanwhile must not
# wait as long; comparing again takes a minute at a million files (60 microseconds for each, 2 busy cores).
SUPERSEDED_AFTER_S = 600.0


class ScanSuperseded(Exception):
    """Another scan was requested, and this one has run for long: restart."""


class Scan:
    """One comparison of the library with the index. Call `compare` once."""

    def __init__(
        self,
        library: Library,
        index: IndexClient,
        scan_publisher: ScanPublisher,
        *,
        deletion_guard: DeletionGuard,
        settle_s: float,
        debouncer: Debouncer,
        in_flight: InFlight,
        scan_requests: ScanRequests,
        put_event: Callable[[Event], None],
        now_s: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._index = index
        self._scan_publisher = scan_publisher
        self._deletion_guard = deletion_guard
        self._settle_s = settle_s
        self._debouncer = debouncer
        self._in_flight = in_flight
        self._scan_requests = scan_requests
        self._now_s = now_s
        self._begun_s = now_s()
        self._put_event = put_event
        self._unix_s = unix_s
        self._identity = library.identity()
        self.warning = ""
        # Whether more files are missing than one scan keeps in memory.
        self.is_partial = False
        self.differences = NO_DIFFERENCES

    def compare(self, counts: CountsReply) -> None:
        """Publishes everything that differs. Raises LibraryOffline, ScanSuperseded, Stopped."""
        if self._library.absence() == EMPTY and counts.indexed + counts.rejected > 0:
            raise LibraryOffline(EMPTY)
        library = self._library
        plan = ScanPlan(library.candidates.is_candidate, library.is_gone, self._may_wait, is_missing=library.is_missing)
        for at, file in enumerate(self._index.files()):
            if at % MAX_MESSAGE_PATHS == 0:
                self.check()
            plan.index_has(file)
        found = moved = 0
        for change, version in self._changes(plan):
            found, moved = found + 1, moved + len(change.gone)
            self._scan_publisher.publish_change(change, version, self.check)
        self._scan_publisher.publish_rest(self.check)
        left_out = self._delete_left_out(plan)
        removed = self._delete_missing(plan, counts)
        self.differences = Differences(found, moved, removed, left_out)
        if found or removed or left_out:
            log.info("library compared", different=found, moved=moved, removed=removed, left_out=left_out)

    def check(self) -> None:
        """Raises LibraryOffline if the library is not the one that the scan began with, and ScanSuperseded."""
        absence = self._library.absence()
        if absence not in (None, EMPTY):
            raise LibraryOffline(absence)
        if self._library.identity() != self._identity:
            raise LibraryOffline("was replaced by another folder")
        if self._scan_requests.is_pending and self._now_s() - self._begun_s > SUPERSEDED_AFTER_S:
            raise ScanSuperseded

    def _changes(self, plan: ScanPlan) -> Iterator[tuple[Change, FileVersion]]:
        files = self._library.files()
        while chunk := list(itertools.islice(files, MAX_MESSAGE_PATHS)):
            self.check()
            yield from plan.library_has(chunk, self._index.known([escape_path(file.path) for file in chunk]))

    def _may_wait(self, file: FileEntry) -> bool:
        if file.path in self._debouncer or self._in_flight.contains(file.path, file.version):
            return True
        if self._unix_s() - file.version.mtime_ns / 1e9 >= self._settle_s:
            return False
        # A program may still be writing to it.
        self._put_event(Touched(file.path))
        return True

    def _delete_left_out(self, plan: ScanPlan) -> int:
        """Has the files removed from the index that the rules leave out, however many: a setting is no accident."""
        found = plan.left_out[:MAX_MISSING_PATHS]
        self.is_partial = len(plan.left_out) > len(found)
        if found:
            self._scan_publisher.publish_left_out(found, self._library.candidates, self.check)
            self.warning = f"{len(found)} files of the index are left out by the rules now, and are removed from it."
        return len(found)

    def _delete_missing(self, plan: ScanPlan, counts: CountsReply) -> int:
        missing = plan.missing
        indexed = counts.indexed + counts.rejected
        if self._deletion_guard.blocks(len(missing), indexed):
            self.warning += (
                f"{len(missing)} of {indexed} files in the index are not in the library any more. "
                "That many are not removed unasked: check that every disk and share is mounted, "
                "or run `lookalike sync --allow-removals`."
            )
            log.warning(self.warning.strip())
            return 0
        if not len(missing):
            return 0
        self._scan_publisher.wait_for_workers(self.check)
        self.check()
        if self._library.absence() == EMPTY:
            raise LibraryOffline(EMPTY)
        removed = 0
        for change in plan.removals():
            self._scan_publisher.publish_change(change, None, self.check)
            removed += 1
        self._scan_publisher.publish_rest(self.check)
        self.is_partial = self.is_partial or missing.overflowed > 0
        return removed
