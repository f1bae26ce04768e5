"""What changes, for pages that are open: one thread follows the broker's events for all of them, while there is one."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from lookalike.client import Client
from lookalike.client.status import Status
from lookalike.errors import LookalikeError
from web.problems import Problem

# While there is work: what a person can follow.
BUSY_S = 1.0
# At rest the status is read again this often; each open page gets a sign of life as often.
CALM_S = 15.0
# Until the broker is asked again after it did not answer.
AGAIN_S = 3.0
# A page that reads nothing misses what comes after so many messages.
QUEUED = 100
MAX_FOLLOWERS = 200

Happening = tuple[str, str, Any]
"""Name, id of the last event in it (empty for a status), and the content."""


class _Follower:
    """One open page: what it has not been sent yet. Used in the event loop alone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Happening] = asyncio.Queue(QUEUED)
        self.has_missed = False

    def tell(self, happening: Happening) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._put, happening)

    def _put(self, happening: Happening) -> None:
        if self.queue.full():
            self.has_missed = True
        else:
            self.queue.put_nowait(happening)


class EventFeed:
    """Follows one system. `connect` makes a client of its own: one that waits for events holds a connection.

    `live` makes of it what reads the status again and again.
    """

    def __init__(self, connect: Callable[[], Client], live: Callable[[Client], Callable[[], Status]]) -> None:
        self._connect = connect
        self._live = live
        self._lock = threading.Lock()
        self._followers: set[_Follower] = set()
        self._thread: threading.Thread | None = None
        self._latest: Happening | None = None

    async def follow(self, missed_since: Callable[[], Happening | None]) -> AsyncIterator[Happening | None]:
        """What happens from now on, beginning with what `missed_since` reads; None is a sign of life."""
        with self._following() as follower:
            earlier = await asyncio.to_thread(missed_since)
            if earlier is not None:
                yield earlier
            while True:
                try:
                    yield await asyncio.wait_for(follower.queue.get(), CALM_S)
                except TimeoutError:
                    yield None
                if follower.has_missed:
                    follower.has_missed = False
                    yield "files", "", {"events": [], "missed": True}

    @contextmanager
    def _following(self) -> Iterator[_Follower]:
        follower = _Follower()
        with self._lock:
            if len(self._followers) >= MAX_FOLLOWERS:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_FOLLOWERS} pages are open already: close one.")
            self._followers.add(follower)
            if self._latest is not None:
                # The next one may come only when something happens.
                follower.tell(self._latest)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()
        try:
            yield follower
        finally:
            with self._lock:
                self._followers.discard(follower)

    def _run(self) -> None:
        with self._connect() as client:
            read_status = self._live(client)
            after: str | None = None
            calm = False
            while self._has_followers():
                began_s = time.monotonic()
                try:
                    found = client.events(after, wait_s=CALM_S if calm else BUSY_S)
                    if found.found or found.missed:
                        events = [asdict(event) for event in found.found]
                        self._tell(("files", found.next, {"events": events, "missed": found.missed}))
                    after, status = found.next, read_status()
                    self._tell(("status", "", status.model_dump()))
                    calm = _is_calm(status)
                except LookalikeError as error:
                    self._tell(("trouble", "", {"detail": str(error)}))
                    time.sleep(AGAIN_S)
                # Not more often than a person can follow, however often something happens.
                time.sleep(max(0.0, BUSY_S - (time.monotonic() - began_s)))

    def _has_followers(self) -> bool:
        with self._lock:
            if not self._followers:
                self._thread = self._latest = None
            return bool(self._followers)

    def _tell(self, happening: Happening) -> None:
        with self._lock:
            followers = [*self._followers]
            if happening[0] == "status":
                self._latest = happening
        for follower in followers:
            follower.tell(happening)


def _is_calm(status: Status) -> bool:
    """Whether nothing goes on by itself now."""
    return bool(status.paused) or (status.is_done and all(state == "up" for state in status.parts.values()))
