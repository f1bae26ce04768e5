"""Follows several folders of one library: a watcher and a supervision for each, which know nothing of the others."""

import queue
import threading
from collections.abc import Callable, Mapping

from lookalike.library.joined.library import JoinedLibrary
from lookalike.settings import Settings
from producer.scanning.scan_requests import ScanRequests
from producer.watching.events import Event, within
from producer.watching.supervision import Supervision
from producer.watching.watcher import POLLING, Inbox, Watcher


class NamedInbox(Inbox):
    """Puts events of one folder into the inbox of the library, under the folder's name."""

    def __init__(self, inbox: Inbox, folder: str) -> None:
        self._inbox = inbox
        self._folder = folder

    def put_event(self, event: Event) -> None:
        """Never blocks."""
        self._inbox.put_event(within(event, self._folder))


class JoinedWatcher:
    """The watchers of all folders as one. A folder that is missing is not watched, and the others are."""

    def __init__(self, library: JoinedLibrary, watchers: Mapping[str, Watcher]) -> None:
        self._library = library
        self._named = watchers
        self._watchers = [*watchers.values()]

    @property
    def watching(self) -> str:
        """How; the slower way if both are used."""
        found = {watcher.watching for watcher in self._watchers}
        return POLLING if POLLING in found else found.pop()

    @property
    def warning(self) -> str:
        """What a person should know; empty if nothing."""
        return next((watcher.warning for watcher in self._watchers if watcher.warning), "")

    @property
    def lag_s(self) -> float:
        """The longest."""
        return max(watcher.lag_s for watcher in self._watchers)

    @property
    def is_complete(self) -> bool:
        """Whether events tell of every change in those that are there: a disk that comes back is compared anyway."""
        parts = self._library.parts
        return all(
            watcher.is_complete or parts[name].identity() is None for name, watcher in self._named.items()
        ) and any(watcher.is_complete for watcher in self._watchers)

    def ensure_watching(self) -> bool:
        """Starts watching where that is not healthy; True if any was started."""
        started = [watcher.ensure_watching() for watcher in self._watchers]
        return any(started)

    def restore_watches(self) -> None:
        """Adds missing watches."""
        for watcher in self._watchers:
            watcher.restore_watches()

    def stop(self) -> None:
        """Stops watching."""
        for watcher in self._watchers:
            watcher.stop()


class JoinedSupervision:
    """The supervision of each folder, in a thread of its own."""

    def __init__(self, parts: Mapping[str, Supervision]) -> None:
        self._parts = parts
        self._ended: queue.Queue[BaseException | None] = queue.Queue()

    def run(self) -> None:
        """Raises Stopped when the producer ends, and what the first that failed raised."""
        for name, part in self._parts.items():
            threading.Thread(target=self._run, args=(part,), name=f"supervisor-{name}", daemon=True).start()
        error = self._ended.get()
        if error is not None:
            raise error

    def wake(self) -> None:
        """Interrupts their waits."""
        for part in self._parts.values():
            part.wake()

    def _run(self, part: Supervision) -> None:
        try:
            part.run()
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that is looked after)
            self._ended.put(error)
        else:
            self._ended.put(None)


def follow_joined(
    settings: Settings,
    library: JoinedLibrary,
    inbox: Inbox,
    *,
    on_count_changed: Callable[[], None],
    scan_requests: ScanRequests,
    stop: threading.Event,
) -> tuple[JoinedWatcher, JoinedSupervision]:
    """What follows each folder."""
    watchers = {
        name: Watcher(
            part,
            NamedInbox(inbox, name),
            polling=settings.polling,
            poll_s=settings.poll_s,
            on_count_changed=on_count_changed,
        )
        for name, part in library.parts.items()
    }
    request, soon = scan_requests.request, scan_requests.request_soon
    supervisions = {
        name: Supervision(part, watchers[name], request_scan=request, request_soon=soon, stop=stop)
        for name, part in library.parts.items()
    }
    return JoinedWatcher(library, watchers), JoinedSupervision(supervisions)
