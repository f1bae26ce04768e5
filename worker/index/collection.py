"""The collection behind the alias: looked at, made, led to, dropped. worker/index/identity.py decides what to do.

A Qdrant server changes several aliases one after another and not all or none, so an alias is only ever changed by one
operation in a request of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import uuid4

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import CreateAlias, CreateAliasOperation, VectorParams
from qdrant_client.models import Distance as QdrantDistance

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.settings import Distance
from models.contract import ModelCard
from worker.errors import StoreUnavailable
from worker.index.identity import Identity, Plan, Seen, check, concrete_name, decide
from worker.index.payload import INDEXED_FIELDS, VECTOR
from worker.inference.providers import CPU

QDRANT_DISTANCES = {
    "cosine": QdrantDistance.COSINE,
    "dot": QdrantDistance.DOT,
    "euclid": QdrantDistance.EUCLID,
    "manhattan": QdrantDistance.MANHATTAN,
}
# Collections have metadata since then, which is where an index says whose it is.
FIRST_VERSION = (1, 16)
FORBIDDEN = 403
TESTED = "1.16.3 was tested, with qdrant-client 1.20"


@dataclass(frozen=True)
class Standing:
    """The index as it stands: its collection's own name, what it was made for, and whether it was made just now."""

    name: str
    identity: Identity
    is_new: bool = False


@dataclass(frozen=True)
class Wish:
    """Which index is asked for. `library_id` is None where nobody has told; then the index that is there tells."""

    system: str
    card: ModelCard
    distance: Distance
    library_id: str | None = None
    provider: str = CPU
    # Ids of libraries that were ours before: their index may be dropped as well.
    former_ids: frozenset[str] = frozenset()

    def identity(self, library_id: str) -> Identity:
        """What the index of this library has to record."""
        return Identity(
            library_id, self.card.name, self.card.fingerprint, self.distance, self.card.precision, self.provider
        )

    def name(self, library_id: str) -> str:
        """The collection's own name for this library."""
        return concrete_name(self.system, library_id, self.card, self.distance)

    @property
    def ours(self) -> Collection[str]:
        """Ids of the libraries whose index may be dropped: none, while nobody has told whose we are."""
        return self.former_ids if self.library_id is None else {self.library_id, *self.former_ids}


def ensure(client: QdrantClient, wish: Wish, *, rebuild: bool = False, new_id: str | None = None) -> Standing:
    """Makes what is missing of collection and alias; with `rebuild` all of it anew. `new_id` if no library has an id.

    Raises CollectionMismatch if what is there is not ours or was made for something else, Misconfigured for a store
    that cannot hold an index.
    """
    plan, identity = plan_for(client, wish, rebuild=rebuild, new_id=new_id)
    return carry_out(client, plan, wish, identity)


def plan_for(
    client: QdrantClient, wish: Wish, *, rebuild: bool = False, new_id: str | None = None
) -> tuple[Plan, Identity]:
    """What is to be done, for an index of which identity. Changes nothing. Raises CollectionMismatch."""
    try:
        leads_to = _leads_to(client, wish.system)
    except (UnexpectedResponse, grpc.RpcError) as error:
        if not _is_forbidden(error) or rebuild:
            raise
        return _plan_without_alias(client, wish)
    there: dict[str, Identity | None] = {}
    _see(client, leads_to, there)
    behind = None if leads_to is None else there.get(leads_to)
    known = wish.library_id or (None if behind is None else behind.library_id)
    library_id = known or new_id or str(uuid4())
    name = wish.name(library_id)
    if leads_to is None:
        _see(client, wish.system, there)
    if leads_to not in there or rebuild:
        _see(client, name, there)
    identity = wish.identity(library_id)
    seen = Seen(leads_to, there)
    try:
        return decide(wish.system, name, identity, seen, rebuild=rebuild, ours=wish.ours), identity
    except CollectionMismatch:
        # An old server forgets what collections record.
        need_version(client)
        raise


def carry_out(client: QdrantClient, plan: Plan, wish: Wish, identity: Identity) -> Standing:
    """Does what the plan says. Raises Misconfigured, CollectionMismatch, and StoreAway if somebody else was faster."""
    for name in plan.drop:
        drop(client, name)
    is_new = plan.create and create(client, plan.name, identity, wish.card.dimension)
    found = check(wish.system, plan.name, _recorded(client, plan.name), identity, ours=wish.ours)
    if plan.promote:
        index_payload(client, plan.name)
        # That took a while, and workers of another broker do not know our lock.
        leads_to = _leads_to(client, wish.system)
        if leads_to not in (None, plan.name) and client.collection_exists(leads_to):
            if is_new:
                drop(client, plan.name)
            raise StoreUnavailable(f"the alias was led to {leads_to!r} meanwhile")
        promote(client, plan.name, wish.system)
    return Standing(plan.name, found, is_new)


def recorded_provider(client: QdrantClient, system: str) -> str | None:
    """What the vectors of the index were computed with; None if there is no index yet, or none of ours."""
    try:
        leads_to = _leads_to(client, system)
    except (UnexpectedResponse, grpc.RpcError) as error:
        if not _is_forbidden(error):
            raise
        # A key for one collection; what it was made with is compared when it is opened.
        return None
    there: dict[str, Identity | None] = {}
    _see(client, leads_to, there)
    identity = None if leads_to is None else there.get(leads_to)
    return None if identity is None else identity.provider


def create(client: QdrantClient, name: str, identity: Identity, dimension: int) -> bool:
    """Makes the collection; False if somebody was faster. Raises Misconfigured for a store that forgets metadata."""
    need_version(client)
    try:
        client.create_collection(
            name,
            vectors_config={VECTOR: VectorParams(size=dimension, distance=QDRANT_DISTANCES[identity.distance])},
            metadata=identity.metadata(),
        )
    except (UnexpectedResponse, grpc.RpcError):
        if not client.collection_exists(name):
            raise
        return False
    if _recorded(client, name) is None:
        # Nobody could tell later whose it is. It is ours to drop: it was made in this moment.
        drop(client, name)
        raise Misconfigured(
            "The store keeps no metadata of collections, by which an index says whose it is: if a proxy stands before "
            "QDRANT_URL let it pass requests on as they are, or name another store."
        )
    return True


def index_payload(client: QdrantClient, name: str) -> None:
    """Makes the payload indexes that are missing. Before the alias: whoever follows it finds the collection whole."""
    for field, schema in INDEXED_FIELDS.items():
        client.create_payload_index(name, field, schema, wait=True)


def promote(client: QdrantClient, name: str, system: str) -> None:
    """Leads the alias to a collection, away from one that is not there any more."""
    alias = CreateAlias(collection_name=name, alias_name=system)
    client.update_collection_aliases(change_aliases_operations=[CreateAliasOperation(create_alias=alias)])


def drop(client: QdrantClient, name: str) -> None:
    """Drops a collection; the store lets go of its alias with it."""
    client.delete_collection(name)


def need_version(client: QdrantClient) -> None:
    """Raises Misconfigured for a server whose collections have no metadata. One that does not tell is believed."""
    try:
        said = client.info().version
    except (UnexpectedResponse, grpc.RpcError):
        return
    numbers = said.removeprefix("v").split(".")[:2]
    if all(number.isdigit() for number in numbers) and tuple(map(int, numbers)) < FIRST_VERSION:
        raise Misconfigured(
            f"The Qdrant server at QDRANT_URL has version {said}, and what lookalike keeps there needs "
            f"{'.'.join(map(str, FIRST_VERSION))} or later ({TESTED}): upgrade it, or name another one."
        )


def _plan_without_alias(client: QdrantClient, wish: Wish) -> tuple[Plan, Identity]:
    """For a key that may not ask for aliases, as one for a single collection: an index that exists can be used."""
    if wish.library_id is None:
        raise Misconfigured(
            "QDRANT_API_KEY may not ask for aliases, so whose index to use is not known: "
            "set LOOKALIKE_LIBRARY_ID, or use a key for the whole store."
        )
    name, identity = wish.name(wish.library_id), wish.identity(wish.library_id)
    if not client.collection_exists(name):
        raise Misconfigured(
            f"QDRANT_API_KEY may not ask for aliases, and there is no collection {name!r} that it could be for: "
            "start once with a key for the whole store, which makes it."
        )
    check(wish.system, name, _recorded(client, name), identity, ours=wish.ours)
    return Plan(name), identity


def _is_forbidden(error: UnexpectedResponse | grpc.RpcError) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code == FORBIDDEN
    # What the channel raises is a Call too, which knows the code; the class itself does not say so.
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.PERMISSION_DENIED


def _leads_to(client: QdrantClient, system: str) -> str | None:
    return next((alias.collection_name for alias in client.get_aliases().aliases if alias.alias_name == system), None)


def _see(client: QdrantClient, name: str | None, there: dict[str, Identity | None]) -> None:
    if name is not None and name not in there and client.collection_exists(name):
        there[name] = _recorded(client, name)


def _recorded(client: QdrantClient, name: str) -> Identity | None:
    """What the collection says of itself; None if it says nothing that we know."""
    metadata = client.get_collection(name).config.metadata or {}
    return Identity.from_metadata(metadata)
