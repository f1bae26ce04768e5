"""Turns the bodies of requests about collections and aliases into changes of the catalogue."""

from collections.abc import Callable
from typing import Any

from edge.catalogue import DISTANCES, Catalogue, VectorSetting
from edge.errors import BadInput
from edge.json_fields import Fields

# Qdrant's own bound.
LARGEST_DIMENSION = 65_536
CLUSTER = ("shard_number", "replication_factor", "write_consistency_factor")


def vectors_and_metadata(body: object) -> tuple[dict[str, VectorSetting], dict[str, Any]]:
    """The body of a creation: `{"vectors": {name: {"size", "distance", ...}}, "metadata": {...}}`.

    `optimizers_config.indexing_threshold` is read and not used: here `--hnsw-threshold` tells it, in points.
    """
    fields = Fields(body, "body", ("vectors", "metadata", "optimizers_config", *CLUSTER))
    for name in CLUSTER:
        if fields.count(name, 1, minimum=1) != 1:
            raise BadInput(f"Wrong input: {name} is {fields.get(name)}, and here is one process: only 1 is possible")
    if fields.get("optimizers_config") is not None:
        Fields(fields.get("optimizers_config"), "optimizers_config", ("indexing_threshold",))
    vectors = fields.mapping("vectors")
    if "size" in vectors and "distance" in vectors:
        raise BadInput("Wrong input: a vector without a name is not supported here; give it one in `vectors`")
    metadata = {} if fields.get("metadata") is None else fields.mapping("metadata")
    settings = {name: _vector(setting, f"vectors.{name}") for name, setting in vectors.items()}
    return settings, {key: value for key, value in metadata.items() if value is not None}


def metadata_changes(body: object) -> dict[str, Any]:
    """The body of an update, which can change the metadata only."""
    return Fields(body, "body", ("metadata",)).mapping("metadata")


def alias_changes(body: object) -> Callable[[Catalogue], Catalogue]:
    """`{"actions": [...]}`: all of them or, if one is refused, none."""
    actions = Fields(body, "body", ("actions",)).array("actions")
    changes = [_alias_change(action, f"actions[{index}]") for index, action in enumerate(actions)]

    def apply(catalogue: Catalogue) -> Catalogue:
        for change in changes:
            catalogue = change(catalogue)
        return catalogue

    return apply


def _vector(value: object, where: str) -> VectorSetting:
    fields = Fields(value, where, ("size", "distance", "on_disk", "quantization_config"))
    distance = fields.text("distance")
    if distance not in DISTANCES:
        raise BadInput(f"Format error in JSON body: {where}.distance: expected one of {', '.join(DISTANCES)}")
    fields.required("size")
    return VectorSetting(
        size=fields.count("size", 0, minimum=1, maximum=LARGEST_DIMENSION),
        distance=distance,
        on_disk=fields.flag("on_disk"),
        quantization_config=_quantization(fields),
    )


def _quantization(fields: Fields) -> dict[str, Any] | None:
    """`{"scalar": {"type": "int8", "always_ram": ...}}`."""
    if fields.get("quantization_config") is None:
        return None
    where = f"{fields.where}.quantization_config"
    scalar = Fields(fields.get("quantization_config"), where, ("scalar",)).mapping("scalar")
    inner = Fields(scalar, f"{where}.scalar", ("type", "always_ram"))
    if inner.text("type") != "int8":
        raise BadInput(f"Format error in JSON body: {where}.scalar.type: expected int8")
    inner.flag("always_ram")
    return {"scalar": scalar}


def _alias_change(value: object, where: str) -> Callable[[Catalogue], Catalogue]:
    known = ("create_alias", "delete_alias", "rename_alias")
    fields = Fields(value, where, known)
    named = [name for name in known if fields.get(name) is not None]
    if named == ["create_alias"]:
        inner = Fields(fields.get("create_alias"), where, ("collection_name", "alias_name"))
        alias, name = inner.text("alias_name"), inner.text("collection_name")
        return lambda catalogue: catalogue.with_alias(alias, name)
    if named == ["delete_alias"]:
        gone = Fields(fields.get("delete_alias"), where, ("alias_name",)).text("alias_name")
        return lambda catalogue: catalogue.without_alias(gone)
    if named == ["rename_alias"]:
        inner = Fields(fields.get("rename_alias"), where, ("old_alias_name", "new_alias_name"))
        old, new = inner.text("old_alias_name"), inner.text("new_alias_name")
        return lambda catalogue: catalogue.with_alias_renamed(old, new)
    raise BadInput(f"Format error in JSON body: {where}: expected one of {', '.join(known)}")
