"""The collection behind the alias: made once, checked at every start, replaced only when told to."""

from dataclasses import dataclass
from uuid import uuid4

import grpc
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.models import (
    CreateAlias,
    CreateAliasOperation,
    DeleteAlias,
    DeleteAliasOperation,
    VectorParams,
)
from qdrant_client.models import Distance as QdrantDistance

from lookalike.errors import CollectionMismatch
from lookalike.settings import Distance
from models.contract import ModelCard
from worker.backends import CPU
from worker.points import INDEXED_FIELDS, VECTOR

QDRANT_DISTANCES = {
    "cosine": QdrantDistance.COSINE,
    "dot": QdrantDistance.DOT,
    "euclid": QdrantDistance.EUCLID,
    "manhattan": QdrantDistance.MANHATTAN,
}
# Enough of the fingerprint to tell models apart at a glance; the whole one is in the metadata.
FINGERPRINT_CHARS = 12


@dataclass(frozen=True)
class Identity:
    """What an index was made for. Vectors of one identity compare with each other and with no others."""

    library_id: str
    model: str
    fingerprint: str
    distance: Distance
    precision: str
    backend: str = CPU

    def metadata(self) -> dict[str, str]:
        """As it is recorded with the collection."""
        return dict(vars(self))


def concrete_name(system: str, card: ModelCard, distance: Distance) -> str:
    """Name of the collection: changes with whatever makes vectors incomparable."""
    return f"{system}-{card.fingerprint[:FINGERPRINT_CHARS]}-{distance}"


def ensure(
    client: QdrantClient,
    system: str,
    card: ModelCard,
    distance: Distance,
    *,
    library_id: str | None,
    rebuild: bool,
    backend: str = CPU,
) -> tuple[str, Identity, bool]:
    """Makes the collection and its alias if they are not there. Returns name, identity, and whether it was made.

    Raises CollectionMismatch if the alias leads to an index of another library, model, distance or
    backend; with `rebuild` that index is dropped instead.
    """
    name = concrete_name(system, card, distance)
    wanted = Identity(library_id or str(uuid4()), card.name, card.fingerprint, distance, card.precision, backend)
    behind = _behind(client, system)
    if rebuild and behind is not None:
        client.delete_collection(behind)
        behind = None
    if behind is not None:
        return name, _checked(client, behind, name, wanted, library_id is not None), False
    made = _create(client, name, wanted, card.dimension)
    _point_alias(client, system, name)
    return name, _recorded(client, name), made


def recorded_backend(client: QdrantClient, system: str) -> str | None:
    """What the vectors of the index were computed with; None if there is no index yet."""
    behind = _behind(client, system)
    return None if behind is None else _recorded(client, behind).backend


def _behind(client: QdrantClient, system: str) -> str | None:
    return next((alias.collection_name for alias in client.get_aliases().aliases if alias.alias_name == system), None)


def _checked(client: QdrantClient, behind: str, name: str, wanted: Identity, is_library_set: bool) -> Identity:  # noqa: FBT001
    found = _recorded(client, behind)
    differing = [
        f"{what} {getattr(found, field)!r} and not {getattr(wanted, field)!r}"
        for what, field in (
            ("model", "model"),
            ("model file", "fingerprint"),
            ("distance", "distance"),
            ("backend", "backend"),
            *((("library", "library_id"),) if is_library_set else ()),
        )
        if getattr(found, field) != getattr(wanted, field)
    ]
    if differing:
        raise CollectionMismatch(
            f"The index was made with {differing[0]}: use what it was made with, "
            "or make it anew with `lookalike up FOLDER --rebuild`."
        )
    if behind != name:
        raise CollectionMismatch(f"The alias leads to {behind!r}, which is not ours: set another LOOKALIKE_NAME.")
    return found


def _create(client: QdrantClient, name: str, identity: Identity, dimension: int) -> bool:
    try:
        client.create_collection(
            name,
            vectors_config={VECTOR: VectorParams(size=dimension, distance=QDRANT_DISTANCES[identity.distance])},
            metadata=identity.metadata(),
        )
    except (UnexpectedResponse, grpc.RpcError):
        # Another worker was faster, or a start was cut off before the alias was set.
        if not client.collection_exists(name):
            raise
        made = False
    else:
        made = True
    for field, schema in INDEXED_FIELDS.items():
        client.create_payload_index(name, field, schema, wait=True)
    return made


def _recorded(client: QdrantClient, name: str) -> Identity:
    metadata = client.get_collection(name).config.metadata or {}
    try:
        return Identity(**metadata)
    except TypeError:
        raise CollectionMismatch(
            f"The collection {name!r} was not made by lookalike: set another LOOKALIKE_NAME."
        ) from None


def _point_alias(client: QdrantClient, system: str, name: str) -> None:
    operations: list[CreateAliasOperation | DeleteAliasOperation] = []
    if _behind(client, system) is not None:
        operations.append(DeleteAliasOperation(delete_alias=DeleteAlias(alias_name=system)))
    operations.append(CreateAliasOperation(create_alias=CreateAlias(collection_name=name, alias_name=system)))
    client.update_collection_aliases(change_aliases_operations=operations)
