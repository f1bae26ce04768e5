"""Turns Qdrant's JSON filters into the engine's. Knows nothing of requests or collections."""

from __future__ import annotations

from typing import Any

import qdrant_edge as engine

from edge.errors import BadInput
from edge.host.engine import building, match_value
from edge.json_fields import Fields, check_depth, is_number, kind

_CLAUSES = ("must", "should", "must_not")
_MATCHES = ("value", "any", "except", "text")
_BOUNDS = ("gt", "gte", "lt", "lte")


def parse_filter(value: object, where: str = "filter") -> engine.Filter | None:
    """A filter of must, should and must_not clauses, None for null. Raises BadInput."""
    if value is None:
        return None
    check_depth(value, where)
    return _filter(value, where)


def excluding(ids: list[Any], given: engine.Filter | None) -> engine.Filter | None:
    """The given filter, and none of these points."""
    if not ids:
        return given
    with building("point id"):
        return engine.Filter(must=None if given is None else [given], must_not=[engine.HasIdCondition(set(ids))])


def _filter(value: object, where: str) -> engine.Filter:
    fields = Fields(value, where, _CLAUSES)
    must, should, must_not = (_conditions(fields.get(name), f"{where}.{name}") for name in _CLAUSES)
    return engine.Filter(must=must, should=should, must_not=must_not)


def _conditions(value: object, where: str) -> list[Any] | None:
    if value is None:
        return None
    # A lone condition may stand without its list.
    conditions = value if isinstance(value, list) else [value]
    return [_condition(condition, f"{where}[{index}]") for index, condition in enumerate(conditions)]


def _condition(value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise BadInput(f"Format error in JSON body: {where}: expected a condition, found {kind(value)}")
    with building(where):
        if "key" in value:
            return _field_condition(value, where)
        if "is_empty" in value:
            return engine.IsEmptyCondition(_key_inside(value, "is_empty", where))
        if "is_null" in value:
            return engine.IsNullCondition(_key_inside(value, "is_null", where))
        if "has_id" in value:
            return engine.HasIdCondition(set(Fields(value, where, ("has_id",)).array("has_id")))
        if "has_vector" in value:
            return engine.HasVectorCondition(Fields(value, where, ("has_vector",)).text("has_vector"))
        # An empty one matches everything.
        if not value or any(clause in value for clause in _CLAUSES):
            return _filter(value, where)
    raise BadInput(f"Wrong input: {where}: a condition of {', '.join(value)} is not supported here")


def _key_inside(value: object, name: str, where: str) -> str:
    return Fields(Fields(value, where, (name,)).get(name), f"{where}.{name}", ("key",)).text("key")


def _field_condition(value: object, where: str) -> engine.FieldCondition:
    fields = Fields(value, where, ("key", "match", "range", "is_empty", "is_null"))
    match, bounds = fields.get("match"), fields.get("range")
    is_empty, is_null = fields.flag("is_empty"), fields.flag("is_null")
    if match is None and bounds is None and is_empty is None and is_null is None:
        raise BadInput(f"Validation error in JSON body: [{where}: at least one field condition must be specified]")
    return engine.FieldCondition(
        fields.text("key"),
        match=None if match is None else _match(match, f"{where}.match"),
        range=None if bounds is None else _range(bounds, f"{where}.range"),
        is_empty=is_empty,
        is_null=is_null,
    )


def _match(value: object, where: str) -> engine.MatchType:
    fields = Fields(value, where, _MATCHES)
    if fields.get("value") is not None:
        return match_value(fields.get("value"))
    if fields.get("text") is not None:
        return engine.MatchText(fields.text("text"))
    if fields.get("any") is not None:
        return engine.MatchAny(fields.array("any"))
    if fields.get("except") is not None:
        return engine.MatchExcept(fields.array("except"))
    raise BadInput(f"Format error in JSON body: {where}: expected one of {', '.join(_MATCHES)}")


def _range(value: object, where: str) -> engine.RangeType:
    fields = Fields(value, where, _BOUNDS)
    bounds = {name: fields.get(name) for name in _BOUNDS}
    given = [bound for bound in bounds.values() if bound is not None]
    if given and all(isinstance(bound, str) for bound in given):
        return engine.RangeDateTime(**bounds)
    if all(is_number(bound) for bound in given):
        return engine.RangeFloat(**bounds)
    raise BadInput(f"Format error in JSON body: {where}: expected numbers or dates in RFC 3339, not a mixture")
