"""Writes: what the engine has to do, made of the bodies of writing requests (upsert, delete, edits of payloads).

Upserts are the hot path: parsed JSON goes straight into engine points, with no class of ours in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_edge import Filter, Point, UpdateOperation

from edge.catalogue import VectorSetting
from edge.errors import BadInput
from edge.host.engine import building
from edge.host.filters import parse_filter
from edge.json_fields import Fields, check_depth, kind

Vectors = Mapping[str, VectorSetting]


@dataclass(frozen=True)
class Write:
    """An operation of the engine; the points that it changes are named by id or chosen by a filter.

    The points are named so that they can be copied to an HNSW index that is being built (edge/hnsw.py).
    """

    operation: UpdateOperation
    ids: Sequence[Any] = ()
    chosen: Filter | None = None


def upsert(body: object, vectors: Vectors) -> Write:
    """`{"points": [...]}` or `{"batch": {...}}`. A point that is there is replaced whole. Raises BadInput."""
    fields = Fields(body, "body", ("points", "batch"))
    rows = _rows(fields.array("points")) if fields.get("batch") is None else _columns(fields.get("batch"))
    points = _not_empty([_point(*row, index, vectors) for index, row in enumerate(rows)])
    return Write(UpdateOperation.upsert_points(points), ids=[point.id for point in points])


def delete(body: object) -> Write:
    """`{"points": [ids]}` or `{"filter": {...}}`."""
    return _selected(
        Fields(body, "body", ("points", "filter")),
        UpdateOperation.delete_points,
        UpdateOperation.delete_points_by_filter,
    )


def set_payload(body: object) -> Write:
    """Adds `payload` to what the points have, below `key` if that is given."""
    fields = Fields(body, "body", ("payload", "points", "filter", "key"))
    payload, key = fields.mapping("payload"), fields.get("key")
    return _selected(
        fields,
        lambda ids: UpdateOperation.set_payload(ids, payload, key),
        lambda chosen: UpdateOperation.set_payload_by_filter(chosen, payload, key),
    )


def overwrite_payload(body: object) -> Write:
    """Replaces the points' payloads by `payload`."""
    fields = Fields(body, "body", ("payload", "points", "filter"))
    payload = fields.mapping("payload")
    return _selected(
        fields,
        lambda ids: UpdateOperation.overwrite_payload(ids, payload),
        lambda chosen: UpdateOperation.overwrite_payload_by_filter(chosen, payload),
    )


def delete_payload(body: object) -> Write:
    """Removes `keys` from the points' payloads."""
    fields = Fields(body, "body", ("keys", "points", "filter"))
    keys = fields.array("keys")
    return _selected(
        fields,
        lambda ids: UpdateOperation.delete_payload(ids, keys),
        lambda chosen: UpdateOperation.delete_payload_by_filter(chosen, keys),
    )


def clear_payload(body: object) -> Write:
    """Removes the points' payloads."""
    return _selected(
        Fields(body, "body", ("points", "filter")),
        UpdateOperation.clear_payload,
        UpdateOperation.clear_payload_by_filter,
    )


def batch(body: object, vectors: Vectors) -> list[Write]:
    """`{"operations": [{"upsert": {...}}, ...]}`, in their order; none is made if one is at fault."""
    makers: dict[str, Callable[[object], Write]] = {
        "upsert": lambda inner: upsert(inner, vectors),
        "delete": delete,
        "set_payload": set_payload,
        "overwrite_payload": overwrite_payload,
        "delete_payload": delete_payload,
        "clear_payload": clear_payload,
    }
    writes = []
    for index, operation in enumerate(Fields(body, "body", ("operations",)).array("operations")):
        fields = Fields(operation, f"operations[{index}]", makers)
        named = [name for name in makers if fields.get(name) is not None]
        if len(named) != 1:
            raise BadInput(f"Format error in JSON body: {fields.where}: expected one of {', '.join(makers)}")
        writes.append(makers[named[0]](fields.get(named[0])))
    return writes


def _rows(points: list[Any]) -> Iterator[tuple[Any, Any, Any]]:
    for index, point in enumerate(points):
        fields = Fields(point, f"points[{index}]", ("id", "vector", "payload"))
        yield fields.required("id"), fields.required("vector"), fields.get("payload")


def _columns(value: object) -> Iterator[tuple[Any, Any, Any]]:
    fields = Fields(value, "batch", ("ids", "vectors", "payloads"))
    ids, columns = fields.array("ids"), fields.mapping("vectors")
    payloads = [None] * len(ids) if fields.get("payloads") is None else fields.array("payloads")
    for name, column in [*columns.items(), ("payloads", payloads)]:
        if not isinstance(column, list) or len(column) != len(ids):
            raise BadInput(f"Wrong input: batch: {name} must be a list of {len(ids)}, one for each id")
    for index, (point_id, payload) in enumerate(zip(ids, payloads, strict=True)):
        yield point_id, {name: column[index] for name, column in columns.items()}, payload


def _point(point_id: Any, vector: Any, payload: Any, index: int, vectors: Vectors) -> Point:
    # Before the engine sees it: of a batch with one wrong dimension it keeps the points before the wrong one.
    if not isinstance(vector, dict):
        raise BadInput(f"Wrong input: points[{index}].vector: expected vectors by name, found {kind(vector)}")
    for name, values in vector.items():
        setting = vectors.get(name)
        if setting is None:
            raise BadInput(f"Wrong input: points[{index}]: Not existing vector name error: {name}")
        if not isinstance(values, list):
            raise BadInput(f"Wrong input: points[{index}].vector.{name}: expected a list of numbers")
        if len(values) != setting.size:
            raise BadInput(
                f"Wrong input: points[{index}]: Vector dimension error: expected dim: {setting.size}, got {len(values)}"
            )
    check_depth(payload, f"points[{index}].payload")
    with building(f"points[{index}]"):
        return Point(checked_id(point_id), vector, payload)


def checked_id(value: Any) -> Any:
    """The id as it came; the engine parses it, but takes true for 1."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadInput(f"Format error in JSON body: a point id is a whole number or a UUID, not {kind(value)}")
    return value


def _selected(
    fields: Fields, by_ids: Callable[[list[Any]], UpdateOperation], by_filter: Callable[[Any], UpdateOperation]
) -> Write:
    """The write for `points` or for `filter`; without either it would touch nothing or everything."""
    chosen = parse_filter(fields.get("filter"))
    if (chosen is None) == (fields.get("points") is None):
        raise BadInput(f"Wrong input: {fields.where}: expected either `points` or `filter`")
    with building(fields.where):
        if chosen is not None:
            return Write(by_filter(chosen), chosen=chosen)
        ids = _not_empty([checked_id(point_id) for point_id in fields.array("points")])
        return Write(by_ids(ids), ids=ids)


def _not_empty(chosen: list[Any]) -> list[Any]:
    """Refuses a write to no points, as Qdrant does: it hints at a bug of the caller."""
    if not chosen:
        raise BadInput("Wrong input: Empty update request")
    return chosen
