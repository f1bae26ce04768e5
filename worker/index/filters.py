"""The filter of a search in Qdrant's words. Pure; each field has a payload index (worker/index/payload.py)."""

from qdrant_client.models import Condition, DatetimeRange, FieldCondition, Filter, MatchValue, Range

from lookalike.search.filters import Numbers, SearchFilter, Times

# The payload has all folders that a file is in.
FOLDERS = "folders"


def store_filter(wanted: SearchFilter) -> Filter | None:
    """The conditions that must all hold; None if there are none."""
    must = [_condition(name, value) for name, value in wanted if value is not None]
    return Filter(must=must) if must else None


def _condition(name: str, value: str | Numbers | Times) -> Condition:
    if isinstance(value, Numbers):
        return FieldCondition(key=name, range=Range(gte=value.gte, lte=value.lte))
    if isinstance(value, Times):
        return FieldCondition(key=name, range=DatetimeRange(gte=value.gte, lte=value.lte))
    return FieldCondition(key=FOLDERS if name == "folder" else name, match=MatchValue(value=value))
