"""What tells the producer of changes between two scans: a watcher of a folder, or the notifications of a bucket."""

import threading
from collections.abc import Callable
from typing import Protocol

from redis import Redis

from lookalike.library.address import BucketAddress
from lookalike.library.folder import FolderLibrary
from lookalike.library.joined.library import JoinedLibrary
from lookalike.library.kinds import Library
from lookalike.settings import Settings
from producer.scanning.scan_requests import ScanRequests
from producer.watching.bucket_events import BucketEvents
from producer.watching.joined_following import follow_joined
from producer.watching.supervision import Supervision
from producer.watching.watcher import Inbox, Watcher


class Following(Protocol):
    """Watches the library, or is told; puts events into the inbox."""

    @property
    def watching(self) -> str:
        """How, in one word for the report."""

    @property
    def warning(self) -> str:
        """What a person should know; empty if nothing."""

    @property
    def lag_s(self) -> float:
        """Seconds that an event takes, as last measured."""

    @property
    def is_complete(self) -> bool:
        """Whether events tell of every change."""

    def ensure_watching(self) -> bool:
        """Starts watching unless that is healthy; True if it was started."""

    def restore_watches(self) -> None:
        """Adds missing watches."""

    def stop(self) -> None:
        """Stops watching."""


class KeptFollowing(Protocol):
    """Keeps that alive, in a thread of its own."""

    def run(self) -> None:
        """Raises Stopped when the producer ends."""

    def wake(self) -> None:
        """Interrupts its wait."""


def new_following(
    settings: Settings,
    library: Library,
    inbox: Inbox,
    *,
    redis: Redis,
    on_count_changed: Callable[[], None],
    scan_requests: ScanRequests,
    stop: threading.Event,
) -> tuple[Following, KeptFollowing]:
    """What this kind of library is followed by, and what keeps that alive."""
    if isinstance(library, JoinedLibrary):
        return follow_joined(
            settings, library, inbox, on_count_changed=on_count_changed, scan_requests=scan_requests, stop=stop
        )
    if isinstance(library, FolderLibrary):
        watcher = Watcher(
            library, inbox, polling=settings.polling, poll_s=settings.poll_s, on_count_changed=on_count_changed
        )
        request, soon = scan_requests.request, scan_requests.request_soon
        return watcher, Supervision(library, watcher, request_scan=request, request_soon=soon, stop=stop)
    events = BucketEvents(
        BucketAddress(str(library.root)),
        redis,
        inbox,
        events_key=settings.bucket_events,
        request_scan=scan_requests.request,
        stop=stop,
    )
    return events, events
