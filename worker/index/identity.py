"""What an index was made for, and what to do with what lies at the store under our name. Pure.

A collection is ours if its metadata names our library. Only such a one is written to, and only such a one is dropped.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lookalike.errors import CollectionMismatch
from lookalike.settings import Distance
from models.contract import ModelCard
from worker.inference.providers import CPU

# Enough of the hashes to tell models and libraries apart at a glance; the whole of both is in the metadata.
FINGERPRINT_CHARS = 12
LIBRARY_CHARS = 8
COMPARED = (
    ("model", "model"),
    ("model file", "fingerprint"),
    ("distance", "distance"),
    ("provider", "provider"),
)


RECORDED_AS = {"provider": "backend"}


@dataclass(frozen=True)
class Identity:
    """What an index was made for. Vectors of one identity compare with each other and with no others."""

    library_id: str
    model: str
    fingerprint: str
    distance: Distance
    precision: str
    provider: str = CPU

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
class Seen:
    """What is at the store: where our alias leads, and which of the collections that matter to us exist.

    Of each of those the identity that it records, None if it records none.
    """

    leads_to: str | None
    there: Mapping[str, Identity | None]

    @property
    def behind(self) -> str | None:
        """The collection behind the alias; None if there is no alias, or it leads nowhere."""
        return self.leads_to if self.leads_to in self.there else None


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order: `drop` these, `create` the collection, `promote` it (lead the alias to it).

    Whatever is cut off between two deeds leaves a state in which the next decision is the right one: the alias comes
    last, and what it led to before is gone by then, so that no collection is left that nothing leads to.
    """

    name: str
    drop: tuple[str, ...] = ()
    create: bool = False
    promote: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it should be."""
        return not (self.drop or self.create or self.promote)


def concrete_name(system: str, library_id: str, card: ModelCard, distance: Distance) -> str:
    """Name of the collection: changes with whatever makes vectors incomparable, and with the library.

    So two libraries never write to one collection, and who still writes to one that was dropped is told so.
    """
    library = hashlib.sha256(library_id.encode()).hexdigest()[:LIBRARY_CHARS]
    return f"{system}-{library}-{card.fingerprint[:FINGERPRINT_CHARS]}-{distance}"


def decide(system: str, name: str, wanted: Identity, seen: Seen, *, rebuild: bool, ours: Collection[str]) -> Plan:
    """What makes `system` lead to an index of this identity; with `rebuild` to a new one.

    `ours` are the ids of the libraries whose index may be dropped. Raises CollectionMismatch for an index that is not
    ours, and without `rebuild` for one of ours that was made for something else.
    """
    if system in seen.there:
        raise CollectionMismatch(
            f"The store has a collection that is itself named {system!r}, so no alias can be: "
            "set another LOOKALIKE_NAME."
        )
    if rebuild:
        doomed = tuple(dict.fromkeys(found for found in (seen.behind, name) if found in seen.there and found))
        for found in doomed:
            _check_ours(system, found, seen.there[found], ours)
        return Plan(name, drop=doomed, create=True, promote=True)
    current = seen.behind or (name if name in seen.there else None)
    if current is None:
        return Plan(name, create=True, promote=True)
    check(system, current, seen.there[current], wanted, ours=ours)
    return Plan(current, promote=seen.leads_to != current)


def check(system: str, name: str, found: Identity | None, wanted: Identity, *, ours: Collection[str]) -> Identity:
    """What the collection records, which is what is wanted. Raises CollectionMismatch."""
    if found is None:
        raise CollectionMismatch(_not_made_by_us(system, name))
    if found.library_id != wanted.library_id:
        raise CollectionMismatch(_of_another(system, found.library_id, may_rebuild=found.library_id in ours))
    for what, field in COMPARED:
        if getattr(found, field) != getattr(wanted, field):
            raise CollectionMismatch(
                f"The index was made with {what} {getattr(found, field)!r} and not {getattr(wanted, field)!r}: "
                "use what it was made with, or make it anew with `lookalike up FOLDER --rebuild`."
            )
    return found


def _check_ours(system: str, name: str, found: Identity | None, ours: Collection[str]) -> None:
    if found is None:
        raise CollectionMismatch(_not_made_by_us(system, name))
    if found.library_id not in ours:
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
