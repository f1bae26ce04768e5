"""Events of the index on a Redis stream that any program can read: what was indexed, rejected, removed.

    <name>:events   stream   event: indexed, rejected or removed; path; at: when, as the entry's
                             `indexed_at` has it (ISO 8601, UTC, seconds); reason: of a rejection alone

A worker adds them after the index has been written, in one request for each batch. The stream is bounded, and is news,
not a record: a worker that is killed between the two leaves its events out, one that repeats a batch adds them twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from redis import Redis

from lookalike.redis_keys import Keys

EventName = Literal["indexed", "rejected", "removed"]
MAX_READ = 1000


@dataclass(frozen=True)
class Event:
    """What became of one file. `indexed` is also told of one that changed, and of a copy or a moved one."""

    event: EventName
    path: str
    at: str
    reason: str = ""


@dataclass(frozen=True)
class Events:
    """Events in their order. `next` is where the following ones are read from.

    `missed` tells that others came before these and were trimmed before they were read.
    """

    found: tuple[Event, ...]
    next: str
    missed: bool = False


class EventStream:
    """The stream of one system, of which at least the newest `most` events are kept. Methods raise RedisError."""

    def __init__(self, redis: Redis, keys: Keys, *, most: int = 0) -> None:
        self._redis = redis
        self._key = keys.events
        self._most = most

    def add(self, events: Sequence[Event]) -> None:
        """Adds events, in one request; none if none are kept."""
        if not self._most or not events:
            return
        with self._redis.pipeline(transaction=False) as pipe:
            for event in events:
                entry = {name: value for name, value in asdict(event).items() if value}
                # About: whole nodes of the stream are dropped, which costs next to nothing.
                pipe.xadd(self._key, entry, maxlen=self._most, approximate=True)  # type: ignore[arg-type]
            pipe.execute()

    def read(self, after: str | None, *, wait_s: float = 0.0) -> Events:
        """At most 1,000 events after that one; waits so long for the first. None stands for the newest that is there.

        Raises ValueError for what is no id of an event.
        """
        if after is None:
            newest: Any = self._redis.xrevrange(self._key, count=1)
            return Events((), newest[0][0].decode() if newest else "0-0")
        parts = after.split("-")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts):  # noqa: PLR2004
            raise ValueError(f"{after[:40]!r} is no id of an event, such as 1700000000000-0")
        missed = after != "0-0" and not self._redis.xrange(self._key, after, after)
        # XREAD waits for ever if it is told to wait for 0 ms.
        block_ms = max(1, round(wait_s * 1000)) if wait_s > 0 else None
        found: Any = self._redis.xread({self._key: after}, count=MAX_READ, block=block_ms)
        entries = [] if not found else next(iter(found.values()))[0] if isinstance(found, dict) else found[0][1]
        read = [(entry_id.decode(), _event(fields)) for entry_id, fields in entries]
        known = tuple(event for _, event in read if event is not None)
        return Events(known, read[-1][0] if read else after, missed)


def _event(fields: Mapping[bytes, bytes]) -> Event | None:
    """The event; None for one that another version may have written."""
    entry = {name.decode(): value.decode() for name, value in fields.items()}
    if entry.get("event") not in get_args(EventName):
        return None
    known = {name: entry.get(name, "") for name in Event.__dataclass_fields__}
    return Event(**known)  # type: ignore[arg-type]
