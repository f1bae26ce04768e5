"""What tells of changes in a bucket between two scans: its notifications, where they arrive in a list in Redis."""

import threading
from collections.abc import Callable
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from lookalike.library.address import BucketAddress
from lookalike.log import get_logger
from producer.shutdown import check, sleep
from producer.watching.bucket_messages import events_of
from producer.watching.clock_jumps import ClockJumps
from producer.watching.watcher import Inbox

log = get_logger(__name__)

SCANS, NOTIFICATIONS = "scans", "notifications"
# So long one request waits for a notification; the producer may take a second to end.
WAIT_S = 1
# Without notifications nothing but the clock is looked at.
LOOK_EVERY_S = 60.0
MOST_AT_ONCE = 1000


class BucketEvents:
    """In place of a watcher and of what keeps it alive. Notifications may be lost on their way, so scans go on.

    `run` is a thread of its own. What it took from the list and had no time for is found by the scan of the next start.
    """

    warning = ""
    lag_s = 0.0
    is_complete = False

    def __init__(
        self,
        root: BucketAddress,
        redis: Redis,
        inbox: Inbox,
        *,
        events_key: str | None,
        request_scan: Callable[[str], None],
        stop: threading.Event,
        clock: ClockJumps | None = None,
    ) -> None:
        self._root = root
        self._redis = redis
        self._inbox = inbox
        self._events_key = events_key
        self._request_scan = request_scan
        self._stop = stop
        self._clock = clock or ClockJumps()
        self.watching = SCANS if events_key is None else NOTIFICATIONS

    def ensure_watching(self) -> bool:
        """Whether watching was started just now, which it never is: the store does it."""
        return False

    def restore_watches(self) -> None:
        """There are none."""

    def stop(self) -> None:
        """Nothing has to be ended."""

    def wake(self) -> None:
        """Its waits end with the producer."""

    def run(self) -> None:
        """Raises Stopped when the producer ends."""
        while True:
            check(self._stop)
            if reason := self._clock.seen():
                self._request_scan(reason)
            if self._events_key is None:
                sleep(self._stop, LOOK_EVERY_S)
            else:
                self._take(self._events_key)

    def _take(self, key: str) -> None:
        try:
            first = self._redis.blpop([key], timeout=WAIT_S)
            more = [] if first is None else self._redis.lpop(key, MOST_AT_ONCE) or []
        except RedisError as error:
            # That the broker does not answer is told elsewhere; a key of another type is told here alone.
            log.info("no notifications", key=key, why=str(error))
            sleep(self._stop, WAIT_S)
            return
        found = [] if first is None else [cast("tuple[bytes, bytes]", first)[1], *cast("list[bytes]", more)]
        for message in found:
            for event in events_of(message, self._root):
                self._inbox.put_event(event)
