"""Unacknowledged messages, kept per worker slot, so that a worker that comes back finds what it held when it died.

Celery's Redis transport keeps what is delivered and not acknowledged in three keys shared by all workers,
and gives a dead worker's messages back only after the visibility timeout (measured: not within 89 s at a
timeout of 30). A worker in a slot has keys of its own and puts their content back when it connects: 2.6 to
4.2 s after a kill -9. Slots are for workers that always come back (`lookalike up`); elsewhere a slot that
never returned would strand its messages, so the keys are shared and looked at every two seconds.

    <name>:unacked:<slot>         hash  delivery tag -> message
    <name>:unacked:<slot>:index   zset  delivery tag -> time of delivery
    <name>:unacked:<slot>:mutex   string
"""

import logging
from typing import Any

from celery import bootsteps
from celery.worker.state import active_requests
from redis import Redis

from lookalike.log import fields
from lookalike.names import Names

SHARED = "shared"
log = logging.getLogger(__name__)


def transport_options(names: Names, slot: str | None, *, visibility_timeout_s: float) -> dict[str, Any]:
    """Options of Celery's Redis transport for a worker in this slot, or for one without."""
    key = names.slot(slot or SHARED)
    return {
        "unacked_key": key,
        "unacked_index_key": f"{key}:index",
        "unacked_mutex_key": f"{key}:mutex",
        "visibility_timeout": visibility_timeout_s,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        # Takes from `ingest` before `rescan`: a new photo does not wait behind a million old ones.
        "queue_order_strategy": "sorted",
    }


def register(redis: Redis, names: Names, slot: str | None) -> None:
    """Puts the slot on the board, where `status` looks for work that is in hand."""
    redis.sadd(names.slots, slot or SHARED)


class TakeBack(bootsteps.StartStopStep):  # type: ignore[misc]
    """Each time the worker has connected: puts back what its slot holds and nobody works on, to be taken first.

    At start that is what the last worker in this slot had in hand. Later it is what was delivered and not begun
    when the broker went away: Celery forgets it then, and only the visibility timeout would bring it back.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, consumer: Any) -> None:
        """Called by Celery before it takes new messages; a broker that is away again makes it connect again."""
        with consumer.app.connection_for_write() as connection:
            channel = connection.default_channel
            in_hand = {request.message.delivery_tag for request in active_requests}
            tags = {
                tag.decode() if isinstance(tag, bytes) else tag for tag in channel.client.hkeys(channel.unacked_key)
            }
            for tag in tags - in_hand:
                channel.qos.restore_by_tag(tag)
        if tags - in_hand:
            log.info(fields("restored", held=channel.unacked_key, messages=len(tags - in_hand)))
