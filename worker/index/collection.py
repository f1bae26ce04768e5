"""Reads, creates, promotes and drops the collection that the alias names. worker/index/identity.py decides which.

A Qdrant server does not change several aliases atomically, so an alias is only ever changed by one operation in a
request of its own.
"""

from uuid import uuid4

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import CreateAlias, CreateAliasOperation, DeleteAlias, DeleteAliasOperation

from lookalike.errors import CollectionMismatch, Misconfigured
from worker.errors import StoreUnavailable
from worker.index.collection_spec import QDRANT_DISTANCES, CollectionSpec, OpenCollection
from worker.index.identity import (
    Identity,
    Plan,
    StoreState,
    check_identity,
    make_plan,
)
from worker.index.payload import INDEXED_FIELDS
from worker.inference.embedder import dimensions_of

# The first version whose collections have metadata, in which an index records its library.
FIRST_VERSION = (1, 16)
FORBIDDEN = 403
# Ends the name of a collection whose own name is taken by the generation before.
SECOND = "-2"
TESTED = "1.16.3 was tested, with qdrant-client 1.20"


def ensure(
    client: QdrantClient, spec: CollectionSpec, *, rebuild: bool = False, new_id: str | None = None
) -> OpenCollection:
    """Makes the missing parts of collection and alias; with `rebuild` all of them. `new_id` if no library has an id.

    Raises CollectionMismatch if what is there is not ours or was made for something else, Misconfigured for a store
    that cannot hold an index.
    """
    plan, identity = plan_changes(client, spec, rebuild=rebuild, new_id=new_id)
    return apply_plan(client, plan, spec, identity)


def plan_changes(
    client: QdrantClient, spec: CollectionSpec, *, rebuild: bool = False, new_id: str | None = None
) -> tuple[Plan, Identity]:
    """The plan, and the identity that it is for. Changes nothing. Raises CollectionMismatch."""
    try:
        target = _alias_target(client, spec.system)
    except (UnexpectedResponse, grpc.RpcError) as error:
        if not _is_forbidden(error) or rebuild:
            raise
        return _plan_without_alias(client, spec)
    collections: dict[str, Identity | None] = {}
    _read_identity(client, target, collections)
    current = None if target is None else collections.get(target)
    known = spec.library_id or (None if current is None else current.library_id)
    library_id = known or new_id or str(uuid4())
    name = spec.name(library_id)
    if spec.succeeds is not None:
        name = _free_name(client, spec.succeeds, name, spec.identity(library_id))
    if target is None:
        _read_identity(client, spec.system, collections)
    if target not in collections or rebuild:
        _read_identity(client, name, collections)
    identity = spec.identity(library_id)
    state = StoreState(target, collections)
    try:
        return make_plan(spec.system, name, identity, state, rebuild=rebuild, own_ids=spec.own_ids), identity
    except CollectionMismatch:
        # An old server drops the metadata of collections.
        require_version(client)
        raise


def apply_plan(client: QdrantClient, plan: Plan, spec: CollectionSpec, identity: Identity) -> OpenCollection:
    """Carries out the plan. Raises Misconfigured, CollectionMismatch, StoreUnavailable if another worker was faster."""
    for name in plan.drop:
        drop_collection(client, name)
    is_new = plan.create and create_collection(client, plan.name, identity, spec)
    found = check_identity(spec.system, plan.name, _recorded(client, plan.name), identity, own_ids=spec.own_ids)
    if plan.promote:
        create_payload_indexes(client, plan.name)
        # Creating the indexes took a while, and workers of another broker do not see our lock.
        target = _alias_target(client, spec.system)
        if target not in (None, plan.name) and client.collection_exists(target):
            if is_new:
                drop_collection(client, plan.name)
            raise StoreUnavailable(f"the alias was led to {target!r} meanwhile")
        promote_collection(client, plan.name, spec.system)
    return OpenCollection(plan.name, found, is_new)


def recorded_provider(client: QdrantClient, system: str) -> str | None:
    """The provider that computed the vectors of the index; None if there is no index yet, or none of ours."""
    try:
        target = _alias_target(client, system)
    except (UnexpectedResponse, grpc.RpcError) as error:
        if not _is_forbidden(error):
            raise
        # A key for one collection; the provider is compared when the index is opened.
        return None
    collections: dict[str, Identity | None] = {}
    _read_identity(client, target, collections)
    identity = None if target is None else collections.get(target)
    return None if identity is None else identity.provider


def create_collection(client: QdrantClient, name: str, identity: Identity, spec: CollectionSpec) -> bool:
    """Creates the collection; False if another worker was faster. Raises Misconfigured if the store drops metadata."""
    require_version(client)
    try:
        kept = spec.options.arguments(dimensions_of(spec.card), QDRANT_DISTANCES[identity.distance])
        client.create_collection(name, **kept, metadata=identity.metadata())
    except (UnexpectedResponse, grpc.RpcError):
        if not client.collection_exists(name):
            raise
        return False
    if _recorded(client, name) is None:
        # Its library could not be told later. Dropping it is safe: it was created a moment ago.
        drop_collection(client, name)
        raise Misconfigured(
            "The store keeps no metadata of collections, by which an index says whose it is: if a proxy stands before "
            "QDRANT_URL let it pass requests on as they are, or name another store."
        )
    return True


def create_payload_indexes(client: QdrantClient, name: str) -> None:
    """Creates the missing payload indexes, before the alias: a reader of the alias finds the collection complete."""
    for field, schema in INDEXED_FIELDS.items():
        client.create_payload_index(name, field, schema, wait=True)


def promote_collection(client: QdrantClient, name: str, system: str) -> None:
    """Points the alias to a collection, in one step also if it led to another one."""
    alias = CreateAlias(collection_name=name, alias_name=system)
    client.update_collection_aliases(change_aliases_operations=[CreateAliasOperation(create_alias=alias)])


def open_named(client: QdrantClient, name: str) -> OpenCollection | None:
    """The collection of this name, whatever the alias leads to; None if there is none, or none of ours."""
    collections: dict[str, Identity | None] = {}
    _read_identity(client, name, collections)
    identity = collections.get(name)
    return None if identity is None else OpenCollection(name, identity)


def open_current(client: QdrantClient, system: str) -> OpenCollection | None:
    """The collection that the alias leads to."""
    target = _alias_target(client, system)
    return None if target is None else open_named(client, target)


def drop_alias(client: QdrantClient, system: str) -> None:
    """Removes an alias, if it is there; its collection stays."""
    alias = DeleteAlias(alias_name=system)
    client.update_collection_aliases(change_aliases_operations=[DeleteAliasOperation(delete_alias=alias)])


def drop_collection(client: QdrantClient, name: str) -> None:
    """Drops a collection; the store removes its alias with it."""
    client.delete_collection(name)


def require_version(client: QdrantClient) -> None:
    """Raises Misconfigured for a server whose collections have no metadata. A server that hides its version passes."""
    try:
        version = client.info().version
    except (UnexpectedResponse, grpc.RpcError):
        return
    numbers = version.removeprefix("v").split(".")[:2]
    if all(number.isdigit() for number in numbers) and tuple(map(int, numbers)) < FIRST_VERSION:
        raise Misconfigured(
            f"The Qdrant server at QDRANT_URL has version {version}, and what lookalike keeps there needs "
            f"{'.'.join(map(str, FIRST_VERSION))} or later ({TESTED}): upgrade it, or name another one."
        )


def _free_name(client: QdrantClient, system: str, name: str, wanted: Identity) -> str:
    """The name for a generation next to the one that is searched. Raises Misconfigured if they would be the same."""
    current = open_current(client, system)
    if current is not None and current.identity == wanted:
        raise Misconfigured(
            f"The index is of {wanted.model}, {wanted.distance} already: name another --model or --distance."
        )
    # That of the same model and metric, and of another revision, has it.
    return name + SECOND if current is not None and current.name == name else name


def _plan_without_alias(client: QdrantClient, spec: CollectionSpec) -> tuple[Plan, Identity]:
    """The plan with a key that may not list aliases, as one for a single collection: an existing index can be used."""
    if spec.library_id is None:
        raise Misconfigured(
            "QDRANT_API_KEY may not ask for aliases, so whose index to use is not known: "
            "set LOOKALIKE_LIBRARY_ID, or use a key for the whole store."
        )
    name, identity = spec.name(spec.library_id), spec.identity(spec.library_id)
    if not client.collection_exists(name):
        raise Misconfigured(
            f"QDRANT_API_KEY may not ask for aliases, and there is no collection {name!r} that it could be for: "
            "start once with a key for the whole store, which makes it."
        )
    check_identity(spec.system, name, _recorded(client, name), identity, own_ids=spec.own_ids)
    return Plan(name), identity


def _is_forbidden(error: UnexpectedResponse | grpc.RpcError) -> bool:
    if isinstance(error, UnexpectedResponse):
        return error.status_code == FORBIDDEN
    # The errors of a channel are Calls too, which have the code; the type RpcError does not declare it.
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.PERMISSION_DENIED


def _alias_target(client: QdrantClient, system: str) -> str | None:
    return next((alias.collection_name for alias in client.get_aliases().aliases if alias.alias_name == system), None)


def _read_identity(client: QdrantClient, name: str | None, collections: dict[str, Identity | None]) -> None:
    if name is not None and name not in collections and client.collection_exists(name):
        collections[name] = _recorded(client, name)


def _recorded(client: QdrantClient, name: str) -> Identity | None:
    """The identity in the collection's metadata; None if there is none that we know."""
    return Identity.from_metadata(client.get_collection(name).config.metadata or {})
