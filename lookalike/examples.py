"""The examples of a search as a caller gives them, and the message and the bytes that are sent for them."""

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lookalike.argument_checks import path_given, why_no_file
from lookalike.caller_paths import CallerPaths
from lookalike.errors import Refused
from lookalike.library.paths import quoted
from lookalike.messages import ImageByKey, ImageByPath, SearchMessage, first_fault
from lookalike.query import query_bytes, too_many_bytes

ImageSource = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class Example:
    """An image to search by: a file here, else a path of the library; or bytes.

    `weight` says how much it counts beside other examples, and is negative for what neighbours should be unlike.
    `box` chooses a part of the upright picture: left, top, right and bottom as fractions from 0 to 1.
    """

    image: ImageSource
    weight: float = 1.0
    box: Sequence[float] | None = None


# Mappings are invariant in their keys: a dict[str, float] is no Mapping[ImageSource, float].
Examples = ImageSource | Example | Mapping[Any, float] | Iterable[ImageSource | Example]


def examples_given(given: Examples) -> list[Example]:
    """The examples in an image, in a mapping from images to weights, or in any number of images. Raises Refused."""
    if isinstance(given, Example):
        return [given]
    if isinstance(given, str | os.PathLike | bytes):
        return [Example(given)]
    if isinstance(given, bytearray | memoryview):
        return [Example(bytes(given))]
    if isinstance(given, Mapping):
        return [Example(image, weight) for image, weight in given.items()]
    if not isinstance(given, Iterable):
        raise Refused(f"An image must be a path or bytes, and this is of type {type(given).__name__}.")
    return [one if isinstance(one, Example) else Example(one) for one in given]


def search_message(examples: Sequence[Example], **fields: object) -> SearchMessage:
    """The message about these examples, each image under a key of its own. Raises Refused naming the faulty field."""
    keyed = [{"image": {"key": str(uuid.uuid4())}, "weight": one.weight, "box": one.box} for one in examples]
    try:
        return SearchMessage.model_validate({"examples": keyed, **fields})
    except ValidationError as error:
        raise Refused(f"The search cannot be sent: {first_fault(error)}.") from None


def with_images(
    message: SearchMessage, examples: Sequence[Example], paths: CallerPaths, *, max_bytes: int, scaled: bool
) -> tuple[SearchMessage, dict[str, bytes]]:
    """The message with a path in place of each key whose image is in the index, and the bytes of the others by key.

    Raises Refused if an image is at fault, or all of them have more than `max_bytes` together.
    """
    wired, blobs = [], {}
    for one, sent in zip(examples, message.examples, strict=True):
        found = _image(one.image, paths, max_bytes=max_bytes, scaled=scaled, box=sent.box)
        if isinstance(found, bytes) and isinstance(sent.image, ImageByKey):
            blobs[sent.image.key] = found
            wired.append(sent)
        else:
            wired.append(sent.model_copy(update={"image": found}))
    total = sum(map(len, blobs.values()))
    if total > max_bytes:
        raise Refused(too_many_bytes(total, max_bytes))
    return message.model_copy(update={"examples": wired}), blobs


def _image(
    image: ImageSource, paths: CallerPaths, *, max_bytes: int, scaled: bool, box: Sequence[float] | None
) -> ImageByPath | bytes:
    if isinstance(image, bytes):
        return query_bytes(image, max_bytes=max_bytes, scaled=scaled, box=box)
    path = path_given(image)
    if os.path.isfile(path):  # noqa: PTH113 - a name that is too long or not valid is no file, and no error
        if path.stat().st_size > max_bytes and paths.contains(path):
            # Its embedding is in the index; nothing needs to be sent.
            return ImageByPath(path=paths.relative(path))
        return query_bytes(path, max_bytes=max_bytes, scaled=scaled, box=box)
    reason = why_no_file(path)
    if reason is not None:
        raise Refused(f"{quoted(str(path))} cannot be searched for: {reason}.")
    return ImageByPath(path=paths.relative(path))
