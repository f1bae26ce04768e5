"""Opens the index: as it stands, or made by one of many workers while the others wait. Tells the producer of it."""

import logging
from dataclasses import replace

from qdrant_client import QdrantClient
from redis import Redis
from redis.exceptions import RedisError

from lookalike.index_state import IndexState
from lookalike.log import fields
from lookalike.redis_keys import Keys
from lookalike.telemetry import Telemetry
from worker.collection import Standing, Wish, carry_out, plan_for
from worker.errors import Unavailable
from worker.qdrant import answered

log = logging.getLogger(__name__)

MADE = "the index was made"


class IndexOpener:
    """Opens the index of one system. Remembers whose it is, in case that broker and store are emptied at once."""

    def __init__(self, client: QdrantClient, redis: Redis, keys: Keys, wish: Wish) -> None:
        self._client = client
        self._telemetry = Telemetry(redis, keys)
        self.notes = IndexState(redis, keys)
        self._wish = wish
        self._was_open = False

    def open(self, *, rebuild: bool = False) -> Standing:
        """The index, which exists and fits now. Raises StoreAway, Away, CollectionMismatch, Misconfigured."""
        try:
            standing = self._open(rebuild=rebuild)
        except (RedisError, OSError) as error:
            raise Unavailable(f"the broker does not answer ({error})") from error
        self._wish = replace(self._wish, library_id=standing.identity.library_id)
        self._was_open = True
        return standing

    def _open(self, *, rebuild: bool) -> Standing:
        noted, was_seen = self.notes.library()
        wish = self._wish if self._wish.library_id is not None else replace(self._wish, library_id=noted)
        plan, identity = answered(plan_for, self._client, wish, rebuild=rebuild)
        if plan.is_nothing:
            if (noted, was_seen) != (identity.library_id, True):
                self.notes.store_library_id(identity.library_id, is_seen=True)
            return Standing(plan.name, identity)
        with self.notes.creation_lock() as is_ours:
            if not is_ours:
                raise Unavailable("another process is making the index")
            # That one may have done it by now.
            plan, identity = answered(plan_for, self._client, wish, rebuild=rebuild)
            was_seen = self._was_open or (was_seen and noted == identity.library_id)
            self.notes.store_library_id(identity.library_id, is_seen=was_seen)
            standing = answered(carry_out, self._client, plan, wish, identity)
            self.notes.store_library_id(identity.library_id, is_seen=True)
            if standing.is_new:
                log.warning(fields("index made", collection=standing.name, library=identity.library_id))
                self._telemetry.reset_totals()
                self.notes.report_change(MADE, recreated=was_seen and not rebuild)
            elif plan.promote:
                log.warning(fields("alias made", alias=wish.system, collection=standing.name))
        return standing
