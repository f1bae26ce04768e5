"""A search as it is sent over HTTP: JSON alone, or a form with the images in it."""

import json
import uuid
from asyncio import Semaphore
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from lookalike.messages import MAX_EXAMPLES, ImageByKey, SearchMessage, first_fault
from lookalike.strict import Strict
from web.problems import Problem

# Of a form: each image and each path is one more example, the query has all the rest.
IMAGE, PATH, QUERY = "image", "path", "query"
MAX_FIELDS = 2 * MAX_EXAMPLES + 1
SCALARS = (bool, int, float, str)
# What the OpenAPI says of the body, which FastAPI cannot find out.
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/SearchMessage"},
            "example": {"examples": [{"image": {"path": "houses/houses-3.jpg"}}], "limit": 5},
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    IMAGE: {"type": "array", "items": {"type": "string", "format": "binary"}},
                    PATH: {"type": "array", "items": {"type": "string"}},
                    QUERY: {"type": "string", "contentMediaType": "application/json"},
                },
            },
            "encoding": {IMAGE: {"contentType": "image/*"}},
        },
    },
}


@asynccontextmanager
async def search_of(
    request: Request, sending: Semaphore, max_bytes: int
) -> AsyncIterator[tuple[SearchMessage, dict[str, bytes]]]:
    """The search in a request, and the bytes of its images by their keys. Raises Problem.

    A form waits on disk until `sending` lets it into memory, for as long as the block runs.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        yield _message(_json(await request.body()), {}, {}), {}
        return
    if kind != "multipart/form-data":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A search is application/json, or multipart/form-data with images."
        )
    async with request.form(max_files=MAX_EXAMPLES, max_fields=MAX_FIELDS, max_part_size=max_bytes) as form, sending:
        yield await _of_form(form)


async def _of_form(form: FormData) -> tuple[SearchMessage, dict[str, bytes]]:
    query, examples, images = "{}", [], {}
    names: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            # Fresh ones: a key that the sender chose could be that of another search.
            key = str(uuid.uuid4())
            images[key] = await value.read()
            if name == IMAGE:
                examples.append({"image": {"key": key}})
            else:
                names[name] = key
        elif name == PATH:
            examples.append({"image": {"path": value}})
        elif name == QUERY:
            query = value
        else:
            raise _fault(f"{name[:40]!r} is no field of a search: it has {IMAGE}, {PATH} and {QUERY}")
    fields = _json(query.encode())
    if not isinstance(fields, dict):
        raise _fault(f"{QUERY} is no JSON object")
    given = fields.get("examples", [])
    if not isinstance(given, list):
        raise _fault("examples is no list")
    message = _message({**fields, "examples": [*given, *examples]}, names, images)
    used = {example.image.key for example in message.examples if isinstance(example.image, ImageByKey)}
    return message, {key: blob for key, blob in images.items() if key in used}


def _message(fields: Any, names: Mapping[str, str], fresh: Collection[str]) -> SearchMessage:
    """The message with fresh keys in place of the names of parts. Raises Problem."""
    try:
        message = SearchMessage.model_validate(fields)
    except ValidationError as error:
        raise _fault(first_fault(error)) from None
    for given, read in ((fields, message), *zip(fields["examples"], message.examples, strict=True)):
        _check_kinds(given, read)
    examples = []
    for example in message.examples:
        image = example.image
        if isinstance(image, ImageByKey) and image.key in names:
            examples.append(example.model_copy(update={"image": ImageByKey(key=names[image.key])}))
        elif isinstance(image, ImageByKey) and image.key not in fresh:
            raise _fault(f"there is no file with the name {image.key!r} in the form")
        else:
            examples.append(example)
    return message.model_copy(update={"examples": examples})


def _check_kinds(given: Mapping[str, Any], read: Strict) -> None:
    """Raises Problem for a number, text or truth value in place of another, which pydantic takes and the schema not."""
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        ours = getattr(read, name)
        for one, our in zip(values, ours if isinstance(ours, tuple | list) else [ours], strict=False):
            if isinstance(one, SCALARS) and isinstance(our, SCALARS) and _kind(one) is not _kind(our):
                raise _fault(f"{name}: {str(one)[:40]!r} is no {_kind(our).__name__}")


def _kind(value: object) -> type:
    return next(kind for kind in (bool, str, float) if isinstance(value, kind) or (kind is float))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _fault("it is not valid JSON") from None


def _fault(why: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"This is no search: {why}.")
