"""Reads which parts of a point an answer shall carry: `with_payload` and `with_vector`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdrant_edge import PayloadSelector

from edge.errors import BadInput
from edge.json_fields import Fields

if TYPE_CHECKING:
    from qdrant_edge import WithPayloadType, WithVectorType


def payload_selector(fields: Fields, *, default: bool) -> WithPayloadType:
    """A boolean, a list of paths, `{"include": [...]}` or `{"exclude": [...]}`."""
    value = fields.get("with_payload")
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    where = f"{fields.where}.with_payload"
    if isinstance(value, list):
        return PayloadSelector.Include(_names(value, where))
    inner = Fields(value, where, ("include", "exclude"))
    if inner.get("include") is not None:
        return PayloadSelector.Include(_names(inner.array("include"), where))
    return PayloadSelector.Exclude(_names(inner.array("exclude"), where))


def vector_selector(fields: Fields) -> WithVectorType:
    """A boolean or a list of vector names; none is sent unless asked for."""
    value = fields.get("with_vector")
    if value is None:
        return False
    return value if isinstance(value, bool) else _names(value, f"{fields.where}.with_vector")


def _names(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadInput(f"Format error in JSON body: {where}: expected a boolean or a list of names")
    return value
