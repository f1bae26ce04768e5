"""Which path of Qdrant's REST API does what. A handler takes a parsed call and returns the `result` of the answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qdrant_edge import QueryBatchRequest, UpdateOperation

from edge import answers, indexes, points, queries, settings
from edge.collection import FLUSH_WHEN_IDLE_S, OpenCollection
from edge.store import Store


@dataclass(frozen=True)
class Call:
    """What a handler gets: the parsed body (None if there is none), and what the URL says."""

    body: Any
    path: dict[str, str]
    wait: bool

    @property
    def name(self) -> str:
        """The collection's name or an alias."""
        return self.path["name"]


Handler = Callable[[Call], Any]
# (body, collection) -> what to do with its points
Operations = Callable[[Any, OpenCollection], list[UpdateOperation]]


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
            ("PUT", f"{one}/index", self._writing(lambda body, _: [indexes.create(body)])),
            ("DELETE", f"{one}/index/{{field:path}}", self._delete_index),
            ("PUT", f"{one}/points", self._writing(lambda body, into: [points.upsert(body, into.entry.vectors)])),
            ("POST", f"{one}/points/delete", self._writing(lambda body, _: [points.delete(body)])),
            ("POST", f"{one}/points/payload", self._writing(lambda body, _: [points.set_payload(body)])),
            ("PUT", f"{one}/points/payload", self._writing(lambda body, _: [points.overwrite_payload(body)])),
            ("POST", f"{one}/points/payload/delete", self._writing(lambda body, _: [points.delete_payload(body)])),
            ("POST", f"{one}/points/payload/clear", self._writing(lambda body, _: [points.clear_payload(body)])),
            ("POST", f"{one}/points/batch", self._batch),
            ("POST", f"{one}/points", self._retrieve),
            ("POST", f"{one}/points/query", self._query),
            ("POST", f"{one}/points/query/batch", self._query_batch),
            ("POST", f"{one}/points/scroll", self._scroll),
            ("POST", f"{one}/points/count", self._count),
        ]

    # --- collections and aliases

    def _names(self, _call: Call) -> Any:
        return {"collections": [{"name": name} for name in self._store.catalogue.collections]}

    def _info(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        return answers.collection_info(collection.entry, collection.info(), flush_interval_s=int(FLUSH_WHEN_IDLE_S))

    def _exists(self, call: Call) -> Any:
        catalogue = self._store.catalogue
        return {"exists": call.name in catalogue.collections or call.name in catalogue.aliases}

    def _create(self, call: Call) -> Any:
        self._store.create(call.name, *settings.vectors_and_metadata(call.body))
        return True

    def _update(self, call: Call) -> Any:
        self._store.change_metadata(call.name, settings.metadata_changes(call.body))
        return True

    def _delete(self, call: Call) -> Any:
        return self._store.delete(call.name)

    def _aliases(self, _call: Call) -> Any:
        return answers.aliases(self._store.catalogue.aliases)

    def _aliases_of(self, call: Call) -> Any:
        catalogue = self._store.catalogue
        name = catalogue.resolve(call.name)
        return answers.aliases({alias: target for alias, target in catalogue.aliases.items() if target == name})

    def _change_aliases(self, call: Call) -> Any:
        self._store.change_aliases(settings.alias_changes(call.body))
        return True

    # --- writing points

    def _writing(self, operations: Operations) -> Handler:
        def handler(call: Call) -> Any:
            collection = self._store.collection(call.name)
            return self._write(collection, operations(call.body, collection), wait=call.wait)[0]

        return handler

    def _batch(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        return self._write(collection, points.batch(call.body, collection.entry.vectors), wait=call.wait)

    def _delete_index(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        return self._write(collection, [indexes.delete(call.path["field"])], wait=call.wait)[0]

    def _write(self, collection: OpenCollection, operations: list[UpdateOperation], *, wait: bool) -> list[Any]:
        """Does the operations one by one. They are done when we answer, whether the caller waits for that or not."""
        results = []
        for operation in operations:
            collection.write(operation, now_s=time.monotonic())
            results.append(answers.update(self._operations, wait=wait))
            self._operations += 1
        return results

    # --- reading points

    def _retrieve(self, call: Call) -> Any:
        return answers.records(self._store.collection(call.name).retrieve(*queries.retrieve(call.body)))

    def _query(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        request = queries.query(call.body, collection.vector_of)
        return {"points": answers.scored_points(collection.query(QueryBatchRequest([request]))[0])}

    def _query_batch(self, call: Call) -> Any:
        collection = self._store.collection(call.name)
        found = collection.query(queries.query_batch(call.body, collection.vector_of))
        return [{"points": answers.scored_points(neighbours)} for neighbours in found]

    def _scroll(self, call: Call) -> Any:
        found, next_id = self._store.collection(call.name).scroll(queries.scroll(call.body))
        return {"points": answers.records(found), "next_page_offset": next_id}

    def _count(self, call: Call) -> Any:
        return {"count": self._store.collection(call.name).count(queries.count(call.body))}
