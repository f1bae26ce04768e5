"""The filter of a search in Qdrant's words. Pure; each field has a payload index (worker/index/payload.py)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from qdrant_client.models import (
    Condition,
    DatetimeRange,
    FieldCondition,
    Filter,
    HasIdCondition,
    MatchAny,
    MatchValue,
    Range,
)

from lookalike.search.filters import Numbers, SearchFilter, Times

# The payload has all folders that a file is in.
FOLDERS = "folders"
MTIME = "mtime_ns"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPECIAL = frozenset("*?[]!\\")


@dataclass(frozen=True)
class Without:
    """Points that are not to be found: with these ids, and all with these contents (SHA-256)."""

    ids: Collection[str] = ()
    contents: Collection[str] = ()


NOTHING = Without()


def store_filter(
    wanted: SearchFilter | None, *, ids: Sequence[str] | None = None, without: Without = NOTHING
) -> Filter | None:
    """The conditions that must all hold; None if there are none. `ids` are the points that match its path pattern."""
    fields = [] if wanted is None else [(name, value) for name, value in wanted if value is not None]
    must = [_condition(name, value) for name, value in fields if name != "path"]
    if ids is not None:
        must.append(HasIdCondition(has_id=[*ids]))
    must_not: list[Condition] = []
    if without.ids:
        must_not.append(HasIdCondition(has_id=[*without.ids]))
    if without.contents:
        must_not.append(FieldCondition(key="sha256", match=MatchAny(any=[*without.contents])))
    return Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def candidates_filter(wanted: SearchFilter) -> Filter:
    """The points among which a path pattern is looked for: what else the filter says, and the pattern's own folder."""
    must = [_is("status", "indexed"), *(_condition(name, value) for name, value in wanted if value and name != "path")]
    folder = folder_of(wanted.path or "")
    if folder is not None:
        must.append(_is(FOLDERS, folder))
    return Filter(must=must)


def folder_of(pattern: str) -> str | None:
    """The folder in which all paths lie that match: what comes before the first `*`; None if that is no folder."""
    if "/" not in pattern[:-1]:
        # It matches at any depth.
        return None
    parts = pattern.strip("/").split("/")[:-1]
    named = next((at for at, part in enumerate(parts) if _SPECIAL & set(part)), len(parts))
    return "/".join(parts[:named]) or None


def _condition(name: str, value: str | Numbers | Times) -> Condition:
    if isinstance(value, Numbers):
        return FieldCondition(key=name, range=Range(gte=value.gte, lte=value.lte))
    if isinstance(value, Times) and name == "modified_at":
        # Up to the microsecond after the last one: mtimes are finer.
        begin = None if value.gte is None else _nanoseconds(value.gte)
        end = None if value.lte is None else _nanoseconds(value.lte) + 1000.0
        return FieldCondition(key=MTIME, range=Range(gte=begin, lt=end))
    if isinstance(value, Times):
        return FieldCondition(key=name, range=DatetimeRange(gte=value.gte, lte=value.lte))
    return _is(FOLDERS if name == "folder" else name, value)


def _nanoseconds(moment: datetime) -> float:
    """Since 1970. Stores compare doubles, in which whole seconds are exact and others are to 256 ns."""
    return float((moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def _is(field: str, value: str) -> FieldCondition:
    return FieldCondition(key=field, match=MatchValue(value=value))
