"""Opens the index. A missing one is made by one of many workers while the others wait; the producer is notified."""

from dataclasses import replace

from qdrant_client import QdrantClient
from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.index_state import IndexState
from lookalike.broker.telemetry import Telemetry
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger
from lookalike.redis_keys import Keys
from worker.index.collection import apply_plan, plan_changes
from worker.index.collection_spec import CollectionSpec, OpenCollection
from worker.index.qdrant import call_store

log = get_logger(__name__)

MADE = "the index was made"


class IndexOpener:
    """Opens the index of one system. Remembers its library, in case broker and store are emptied at once."""

    def __init__(self, client: QdrantClient, redis: Redis, keys: Keys, spec: CollectionSpec) -> None:
        self._client = client
        self._telemetry = Telemetry(redis, keys)
        self.state = IndexState(redis, keys)
        self._spec = spec
        self._was_open = False

    def open(self, *, rebuild: bool = False) -> OpenCollection:
        """The collection, which exists and fits now. Raises Unavailable, CollectionMismatch, Misconfigured."""
        try:
            collection = self._open(rebuild=rebuild)
        except (RedisError, OSError) as error:
            raise Unavailable(f"the broker does not answer ({error})") from error
        self._spec = replace(self._spec, library_id=collection.identity.library_id)
        self._was_open = True
        return collection

    def _open(self, *, rebuild: bool) -> OpenCollection:
        known_id, was_seen = self.state.library()
        spec = self._spec if self._spec.library_id is not None else replace(self._spec, library_id=known_id)
        plan, identity = call_store(plan_changes, self._client, spec, rebuild=rebuild)
        if plan.is_empty:
            if (known_id, was_seen) != (identity.library_id, True):
                self.state.store_library_id(identity.library_id, is_seen=True)
            return OpenCollection(plan.name, identity)
        with self.state.creation_lock() as is_locked:
            if not is_locked:
                raise Unavailable("another process is making the index")
            # Another process may have made the index by now.
            plan, identity = call_store(plan_changes, self._client, spec, rebuild=rebuild)
            was_seen = self._was_open or (was_seen and known_id == identity.library_id)
            self.state.store_library_id(identity.library_id, is_seen=was_seen)
            collection = call_store(apply_plan, self._client, plan, spec, identity)
            self.state.store_library_id(identity.library_id, is_seen=True)
            if collection.is_new:
                log.warning("index made", collection=collection.name, library=identity.library_id)
                self._telemetry.reset_totals()
                self.state.report_change(MADE, recreated=was_seen and not rebuild)
            elif plan.promote:
                log.warning("alias made", alias=spec.system, collection=collection.name)
        return collection
