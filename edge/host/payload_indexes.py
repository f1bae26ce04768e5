"""Payload indexes: from Qdrant's JSON to the engine's settings, and from what a shard has back to JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import qdrant_edge as engine

from edge.errors import BadInput
from edge.host.engine import building
from edge.host.points import Write
from edge.json_fields import Fields

Named = TypeVar("Named")

_PLAIN: dict[str, engine.PayloadSchemaType] = {
    "keyword": engine.PayloadSchemaType.Keyword,
    "integer": engine.PayloadSchemaType.Integer,
    "float": engine.PayloadSchemaType.Float,
    "bool": engine.PayloadSchemaType.Bool,
    "datetime": engine.PayloadSchemaType.Datetime,
    "uuid": engine.PayloadSchemaType.Uuid,
    "text": engine.PayloadSchemaType.Text,
}
# Kinds whose settings may be given. The other kinds' settings only move them between memory and disk.
_TEXT_SETTINGS = ("tokenizer", "min_token_len", "max_token_len", "lowercase", "phrase_matching")
_INTEGER_SETTINGS = ("lookup", "range")
_TOKENIZERS: dict[str, engine.TokenizerType] = {
    "prefix": engine.TokenizerType.Prefix,
    "whitespace": engine.TokenizerType.Whitespace,
    "word": engine.TokenizerType.Word,
    "multilingual": engine.TokenizerType.Multilingual,
}


def create(body: object) -> Write:
    """`{"field_name": ..., "field_schema": "keyword"}`, or a schema object with a `type`. Raises BadInput."""
    fields = Fields(body, "body", ("field_name", "field_schema"))
    with building(fields.where):
        schema = _schema(fields.required("field_schema"))
        return Write(engine.UpdateOperation.create_field_index(fields.text("field_name"), schema))


def delete(field_name: str) -> Write:
    """Deleting an index that does not exist is no error, as in Qdrant."""
    with building("field_name"):
        return Write(engine.UpdateOperation.delete_field_index(field_name))


def describe(indexes: dict[str, engine.PayloadIndexInfo]) -> dict[str, Any]:
    """`payload_schema` as Qdrant's collection info has it."""
    names = {schema: name for name, schema in _PLAIN.items()}
    return {
        field: {"data_type": names[index.data_type], "points": index.points, **_settings(names[index.data_type], index)}
        for field, index in indexes.items()
    }


def _schema(value: object) -> engine.PayloadSchemaType | engine.PayloadSchemaParams:
    if isinstance(value, str):
        return _known(value, _PLAIN, "field_schema")
    named = Fields(value, "field_schema", ("type", *_TEXT_SETTINGS, *_INTEGER_SETTINGS)).text("type")
    if named == "text":
        fields = Fields(value, "field_schema", ("type", *_TEXT_SETTINGS))
        settings = {name: fields.get(name) for name in _TEXT_SETTINGS}
        if settings["tokenizer"] is not None:
            settings["tokenizer"] = _known(settings["tokenizer"], _TOKENIZERS, "field_schema.tokenizer")
        return engine.TextIndexParams(**settings)
    if named == "integer":
        fields = Fields(value, "field_schema", ("type", *_INTEGER_SETTINGS))
        return engine.IntegerIndexParams(lookup=fields.flag("lookup"), range=fields.flag("range"))
    Fields(value, "field_schema", ("type",))
    return _known(named, _PLAIN, "field_schema.type")


def _known(name: object, table: dict[str, Named], where: str) -> Named:
    if not isinstance(name, str) or name not in table:
        raise BadInput(f"Format error in JSON body: {where}: {name!r} is not one of {', '.join(table)}")
    return table[name]


def _settings(named: str, index: engine.PayloadIndexInfo) -> dict[str, Any]:
    if index.params is None:
        return {}
    tokenizers = {tokenizer: name for name, tokenizer in _TOKENIZERS.items()}
    settings: dict[str, Any] = {"type": named}
    for name in {"text": _TEXT_SETTINGS, "integer": _INTEGER_SETTINGS}.get(named, ()):
        value = getattr(index.params, name)
        if value is not None:
            settings[name] = tokenizers[value] if name == "tokenizer" else value
    return {"params": settings}
