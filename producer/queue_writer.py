"""A lane: one of the two queues to the ingest workers, kept short so that Redis stays small."""

import logging
from collections.abc import Callable

from redis import Redis

from lookalike.library.paths import escape_path
from lookalike.log import fields
from lookalike.messages import MAX_PATH_CHARS, SyncMessage
from lookalike.redis_keys import Keys
from lookalike.transport import CeleryTransport
from producer.batcher import Batch

log = logging.getLogger(__name__)


class QueueWriter:
    """Sends batches to one queue. Raises what redis and Sender raise when the broker is away."""

    def __init__(
        self,
        transport: CeleryTransport,
        redis: Redis,
        keys: Keys,
        *,
        from_scan: bool,
        most_batches: int,
        may_remove: Callable[[], bool],
        library_id: Callable[[], str | None],
    ) -> None:
        self._transport = transport
        self._redis = redis
        self._queue = keys.rescan if from_scan else keys.ingest
        self._from_scan = from_scan
        self._most_batches = most_batches
        self._may_remove = may_remove
        self._library_id = library_id

    def waiting(self) -> int:
        """Batches that no worker has taken yet."""
        return int(self._redis.llen(self._queue))

    def room(self) -> int:
        """How many batches may be sent now."""
        return max(0, self._most_batches - self.waiting())

    def send(self, batch: Batch) -> None:
        """Enqueues a batch. Names that left are said only if the library is there and known by its id."""
        library_id = self._library_id()
        gone = _sayable(batch.gone) if library_id is not None and (not batch.gone or self._may_remove()) else []
        paths = _sayable(batch.paths)
        if paths or gone:
            self._transport.sync(
                SyncMessage(paths=paths, gone=gone, library=library_id), from_scan=self._from_scan, want_result=False
            )


def _sayable(paths: list[str]) -> list[str]:
    said = [escape_path(path) for path in paths]
    too_long = [path for path in said if len(path) > MAX_PATH_CHARS]
    if too_long:
        log.warning(fields("paths too long for a message", count=len(too_long), first=too_long[0][:100]))
    return [path for path in said if len(path) <= MAX_PATH_CHARS]
