"""What an index was made for, and what to do with the collections at the store under our name. Pure.

A collection is ours if its metadata names our library. Only ours are written to, and only ours are dropped.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lookalike.errors import CollectionMismatch, Refused
from lookalike.search.query import By
from lookalike.settings import Distance
from models.contract import ModelCard
from models.decoding.revisions import ALL_FORMATS, formats_changed, is_older
from worker.inference.providers import CPU

# Enough of the hashes to tell models and libraries apart at a glance; the whole of both is in the metadata.
FINGERPRINT_CHARS = 12
LIBRARY_CHARS = 8
COMPARED = (
    ("model", "model"),
    ("model file", "fingerprint"),
    ("distance", "distance"),
    ("provider", "provider"),
    ("decoder revision", "decoder"),
    ("payload form", "payload"),
    ("copy vector", "copies"),
)


RECORDED_AS = {"provider": "backend"}
FIRST_DECODER_REVISION = "1"
FIRST_PAYLOAD_FORM = "1"
NO_COPIES = "none"


@dataclass(frozen=True)
class Identity:
    """What an index was made for. Only vectors of one identity can be compared."""

    library_id: str
    model: str
    fingerprint: str
    distance: Distance
    precision: str
    provider: str = CPU
    # An index from before revisions were recorded has none.
    decoder: str = FIRST_DECODER_REVISION
    payload: str = FIRST_PAYLOAD_FORM
    # Dimension of the copy descriptors that its points have with the embeddings.
    copies: str = NO_COPIES

    @property
    def vectors(self) -> tuple[By, ...]:
        """Which outputs of the model each indexed point has."""
        return ("embedding",) if self.copies == NO_COPIES else ("embedding", "copy")

    @property
    def generation(self) -> str:
        """The short name of what makes vectors comparable: model file, decoder revision and distance.

        Messages name it, and each point has it in its payload: a later change embeds again only what it concerns.
        """
        return f"{self.fingerprint[:FINGERPRINT_CHARS]}-{self.decoder}-{self.distance}"

    def metadata(self) -> dict[str, str]:
        """The metadata of the collection. The key of the provider is from before it was called so."""
        return {RECORDED_AS.get(name, name): value for name, value in vars(self).items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self | None:
        """The identity in the metadata of a collection; None if there is none that we know."""
        names = {recorded: name for name, recorded in RECORDED_AS.items()}
        try:
            return cls(**{names.get(key, key): value for key, value in metadata.items()})
        except TypeError:
            return None


@dataclass(frozen=True)
class StoreState:
    """The state of the store: the target of our alias, and the relevant collections that exist.

    Each of those has the identity that it records, None if it records none.
    """

    alias_target: str | None
    collections: Mapping[str, Identity | None]

    @property
    def current(self) -> str | None:
        """The collection that the alias names; None without an alias, or if the collection does not exist."""
        return self.alias_target if self.alias_target in self.collections else None


@dataclass(frozen=True)
class Plan:
    """The steps, in this order: `drop` these, `create` the collection, `promote` it (point the alias to it).

    A crash between two steps leaves a state from which the next plan is right: the alias comes last, and its former
    target is dropped by then, so that no collection is left without an alias.
    """

    name: str
    drop: tuple[str, ...] = ()
    create: bool = False
    promote: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.drop or self.create or self.promote)


def collection_name(system: str, library_id: str, card: ModelCard, distance: Distance) -> str:
    """Name of the collection: it changes with all that makes vectors incomparable, and with the library.

    So two libraries never write to one collection, and a writer to a dropped collection gets an error.
    """
    library = hashlib.sha256(library_id.encode()).hexdigest()[:LIBRARY_CHARS]
    return f"{system}-{library}-{card.fingerprint[:FINGERPRINT_CHARS]}-{distance}"


def make_plan(
    system: str, name: str, wanted: Identity, state: StoreState, *, rebuild: bool, own_ids: Collection[str]
) -> Plan:
    """The plan after which the alias `system` names an index of this identity; with `rebuild` a new one.

    `own_ids`: the libraries whose index may be dropped. Raises CollectionMismatch for an index that is not
    ours, and without `rebuild` for one of ours that was made for something else.
    """
    if system in state.collections:
        raise CollectionMismatch(
            f"The store has a collection that is itself named {system!r}, so no alias can be: "
            "set another LOOKALIKE_NAME."
        )
    if rebuild:
        to_drop = tuple(dict.fromkeys(found for found in (state.current, name) if found in state.collections and found))
        for found in to_drop:
            _check_own(system, found, state.collections[found], own_ids)
        return Plan(name, drop=to_drop, create=True, promote=True)
    current = state.current or (name if name in state.collections else None)
    if current is None:
        return Plan(name, create=True, promote=True)
    check_identity(system, current, state.collections[current], wanted, own_ids=own_ids)
    return Plan(current, promote=state.alias_target != current)


def check_generation(asked: str | None, identity: Identity) -> None:
    """Raises Refused if a message is meant for another generation than that of the open index; None means any."""
    if asked not in (None, identity.generation):
        raise Refused(f"This index is of the generation {identity.generation!r} and not {asked!r}.")


def check_identity(
    system: str, name: str, found: Identity | None, wanted: Identity, *, own_ids: Collection[str]
) -> Identity:
    """The identity that the collection records, if it is the wanted one. Raises CollectionMismatch."""
    if found is None:
        raise CollectionMismatch(_not_made_by_us(system, name))
    if found.library_id != wanted.library_id:
        raise CollectionMismatch(_of_another(system, found.library_id, may_rebuild=found.library_id in own_ids))
    for what, field in COMPARED:
        if field == "decoder" and is_searchable(found.decoder, wanted.decoder):
            continue
        if getattr(found, field) != getattr(wanted, field):
            raise CollectionMismatch(
                f"The index was made with {what} {getattr(found, field)!r} and not {getattr(wanted, field)!r}: "
                "use what it was made with and change it by `lookalike reindex`, or make it anew with "
                "`lookalike up FOLDER --rebuild`."
            )
    return found


def is_searchable(found: str, wanted: str) -> bool:
    """Whether most vectors of an older decoder revision compare with those of this one: `reindex` renews the others."""
    return is_older(found, wanted) and formats_changed(found, wanted) is not ALL_FORMATS


def _check_own(system: str, name: str, found: Identity | None, own_ids: Collection[str]) -> None:
    if found is None:
        raise CollectionMismatch(_not_made_by_us(system, name))
    if found.library_id not in own_ids:
        raise CollectionMismatch(_of_another(system, found.library_id, may_rebuild=False))


def _not_made_by_us(system: str, name: str) -> str:
    return (
        f"LOOKALIKE_NAME is {system!r}, and at this store that leads to {name!r}, which was not made by lookalike: "
        "set another LOOKALIKE_NAME."
    )


def _of_another(system: str, library_id: str, *, may_rebuild: bool) -> str:
    other = (
        "add --rebuild to drop that index"
        if may_rebuild
        else f"LOOKALIKE_LIBRARY_ID={library_id} if it is this library's from before"
    )
    return (
        f"LOOKALIKE_NAME is {system!r}, and at this store that is the index of another library: "
        f"set another LOOKALIKE_NAME, or {other}."
    )
