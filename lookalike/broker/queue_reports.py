"""How much waits in each queue, how much workers hold of it, and since when."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis

from lookalike.broker.envelope import sent_at, unacked_since
from lookalike.redis_keys import Keys


@dataclass(frozen=True)
class QueueReport:
    """One queue: messages that wait, messages that workers hold, and the age of the oldest of both in seconds.

    The age is 0 if nothing is there whose age is known.
    """

    waiting: int = 0
    unacknowledged: int = 0
    oldest_s: float = 0.0


def queue_reports(redis: Redis, keys: Keys) -> Mapping[str, QueueReport]:
    """Each queue by the end of its name: ingest, rescan, search, thumbnails. Raises RedisError."""
    queues = keys.queues
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.smembers(keys.holders)
        for queue in queues:
            pipe.llen(queue)
            # Workers take from this end.
            pipe.lrange(queue, -1, -1)
        (seconds, microseconds), holders, *rest = pipe.execute()
    with redis.pipeline(transaction=False) as pipe:
        for holder in holders:
            pipe.hvals(keys.unacked(holder.decode()))
        held = [unacked_since(message) for messages in pipe.execute() for message in messages]
    now, found = seconds + microseconds / 1e6, {}
    for queue, waiting, oldest in zip(queues, rest[::2], rest[1::2], strict=True):
        since = [at for of, at in held if of == queue] + [sent_at(message) for message in oldest]
        age_s = max((now - at for at in since if at is not None), default=0.0)
        unacknowledged = sum(of == queue for of, _ in held)
        found[queue.rpartition(":")[2]] = QueueReport(waiting, unacknowledged, max(0.0, age_s))
    return found
