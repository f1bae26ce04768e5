"""Which path of Qdrant's REST API does what. A handler takes a call and returns the `result` of the response."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from edge import FLUSH_WHEN_IDLE_S, settings
from edge.collection import Collection
from edge.errors import BadInput
from edge.store import Store

# Qdrant's defaults, which are the engine's. Clients require them in the answer; we offer no way to change them.
_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000, "max_indexing_threads": 0, "on_disk": False}
_OPTIMIZERS = {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0}


@dataclass(frozen=True)
class Call:
    """What a handler gets: the body as it came (empty if there is none), and what the URL says."""

    body: bytes
    path: dict[str, str]
    wait: bool

    @property
    def name(self) -> str:
        """The collection's name or an alias."""
        return self.path["name"]

    def parsed(self) -> Any:
        """The body as JSON values. Raises BadInput."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadInput(f"Format error in JSON body: {error}") from error


Handler = Callable[[Call], Awaitable[Any]]


class Routes:
    """Handlers over an open store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._operations = 0

    def table(self) -> list[tuple[str, str, Handler]]:
        """HTTP method, path and handler of every route."""
        one = "/collections/{name}"
        return [
            ("GET", "/collections", self._names),
            ("GET", "/aliases", self._aliases),
            ("POST", "/collections/aliases", self._change_aliases),
            ("GET", one, self._info),
            ("PUT", one, self._create),
            ("PATCH", one, self._update),
            ("DELETE", one, self._delete),
            ("GET", f"{one}/exists", self._exists),
            ("GET", f"{one}/aliases", self._aliases_of),
            ("PUT", f"{one}/index", self._writing("create_index")),
            ("DELETE", f"{one}/index/{{field:path}}", self._delete_index),
            ("PUT", f"{one}/points", self._writing("upsert")),
            ("POST", f"{one}/points/delete", self._writing("delete")),
            ("POST", f"{one}/points/payload", self._writing("set_payload")),
            ("PUT", f"{one}/points/payload", self._writing("overwrite_payload")),
            ("POST", f"{one}/points/payload/delete", self._writing("delete_payload")),
            ("POST", f"{one}/points/payload/clear", self._writing("clear_payload")),
            ("POST", f"{one}/points/batch", self._batch),
            ("POST", f"{one}/points", self._reading("retrieve")),
            ("POST", f"{one}/points/query", self._reading("query")),
            ("POST", f"{one}/points/query/batch", self._reading("query_batch")),
            ("POST", f"{one}/points/scroll", self._reading("scroll")),
            ("POST", f"{one}/points/count", self._reading("count")),
        ]

    # --- collections and aliases

    async def _names(self, _call: Call) -> Any:
        return {"collections": [{"name": name} for name in self._store.catalogue.collections]}

    async def _info(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        return _collection_info(collection, orjson.loads(await collection.read("info")))

    async def _exists(self, call: Call) -> Any:
        catalogue = self._store.catalogue
        return {"exists": call.name in catalogue.collections or call.name in catalogue.aliases}

    async def _create(self, call: Call) -> Any:
        await self._store.create(call.name, *settings.vectors_and_metadata(call.parsed()))
        return True

    async def _update(self, call: Call) -> Any:
        await self._store.change_metadata(call.name, settings.metadata_changes(call.parsed()))
        return True

    async def _delete(self, call: Call) -> Any:
        return await self._store.delete(call.name)

    async def _aliases(self, _call: Call) -> Any:
        return _alias_list(self._store.catalogue.aliases)

    async def _aliases_of(self, call: Call) -> Any:
        catalogue = self._store.catalogue
        name = catalogue.resolve(call.name)
        return _alias_list({alias: target for alias, target in catalogue.aliases.items() if target == name})

    async def _change_aliases(self, call: Call) -> Any:
        await self._store.change_aliases(settings.alias_changes(call.parsed()))
        return True

    # --- points

    def _writing(self, operation: str) -> Handler:
        async def handler(call: Call) -> Any:
            return (await self._write(call, operation, call.body))[0]

        return handler

    async def _batch(self, call: Call) -> Any:
        return await self._write(call, "batch", call.body)

    async def _delete_index(self, call: Call) -> Any:
        return (await self._write(call, "delete_index", orjson.dumps(call.path["field"])))[0]

    async def _write(self, call: Call, operation: str, body: bytes) -> list[Any]:
        """One answer per operation. They are done when we answer, whether the caller waits for that or not."""
        count = int(await self._store.collection(call.name).write(operation, body))
        first = self._operations
        self._operations += count
        return [_update_result(first + number, wait=call.wait) for number in range(count)]

    def _reading(self, operation: str) -> Handler:
        async def handler(call: Call) -> Any:
            return orjson.Fragment(await self._store.collection(call.name).read(operation, call.body))

        return handler


def _collection_info(collection: Collection, counts: dict[str, Any]) -> dict[str, Any]:
    """Qdrant's description of a collection; its status is yellow while its index is built."""
    fault = collection.indexing_fault
    return {
        "status": "yellow" if collection.is_indexing else "green",
        "optimizer_status": "ok" if fault is None else {"error": fault},
        **counts,
        "config": {
            "params": {
                "vectors": collection.entry.vectors,
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": _HNSW,
            "optimizer_config": {**_OPTIMIZERS, "flush_interval_sec": int(FLUSH_WHEN_IDLE_S)},
            "wal_config": _WAL,
            "quantization_config": None,
            "metadata": collection.entry.metadata or None,
        },
    }


def _alias_list(targets: dict[str, str]) -> dict[str, Any]:
    """Aliases with the collections that they point to."""
    return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in targets.items()]}


def _update_result(operation: int, *, wait: bool) -> dict[str, Any]:
    """The result of one write: completed, or acknowledged if the caller does not wait for it."""
    return {"operation_id": operation, "status": "completed" if wait else "acknowledged"}
