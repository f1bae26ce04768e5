"""The examples of a search as a caller gives them, and the message and the bytes that are sent for them."""

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lookalike.client.argument_checks import path_given, why_no_file
from lookalike.client.caller_paths import CallerPaths
from lookalike.client.query_image import query_bytes, too_many_bytes
from lookalike.errors import Refused
from lookalike.library.paths import quoted
from lookalike.messages import ImageByKey, ImageByPath, SearchMessage, first_fault

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


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of examples as they are sent; `is_indexed` asks whether a path of the library has a vector."""

    paths: CallerPaths
    is_indexed: Callable[[str], bool]
    max_bytes: int
    scaled: bool = True

    def read(self, image: ImageSource, box: Sequence[float] | None) -> tuple[ImageByPath | bytes, str | None]:
        """What to send, and where in the library it lies: there its embedding is, whatever its size. Raises Refused."""
        if isinstance(image, bytes):
            return self._bytes(image, box), None
        path = path_given(image)
        if os.path.isfile(path):  # noqa: PTH113 - a name that is too long or not valid is no file, and no error
            inside = self.paths.relative(path) if self.paths.contains(path) else None
            if inside is not None and path.stat().st_size > self.max_bytes and self.is_indexed(inside):
                return ImageByPath(path=inside), None
            return self._bytes(path, box), inside
        reason = why_no_file(path)
        if reason is not None:
            raise Refused(f"{quoted(str(path))} cannot be searched for: {reason}.")
        return ImageByPath(path=self.paths.relative(path)), None

    def _bytes(self, image: Path | bytes, box: Sequence[float] | None) -> bytes:
        return query_bytes(image, max_bytes=self.max_bytes, scaled=self.scaled, box=box)


def with_images(
    message: SearchMessage, examples: Sequence[Example], reader: ImageReader
) -> tuple[SearchMessage, dict[str, bytes]]:
    """The message with a path in place of each key whose image is in the index, and the bytes of the others by key.

    Raises Refused if an image is at fault, or all of them have too many bytes together.
    """
    wired, blobs = [], {}
    for one, sent in zip(examples, message.examples, strict=True):
        found, inside = reader.read(one.image, sent.box)
        if isinstance(found, bytes) and isinstance(sent.image, ImageByKey):
            blobs[sent.image.key] = found
            wired.append(sent.model_copy(update={"path": inside}))
        else:
            wired.append(sent.model_copy(update={"image": found}))
    total = sum(map(len, blobs.values()))
    if total > reader.max_bytes:
        raise Refused(f"The search cannot be sent: {too_many_bytes(total, reader.max_bytes)}.")
    return message.model_copy(update={"examples": wired}), blobs
