"""The examples of a search as a caller gives them, and the message and the bytes that are sent for them."""

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lookalike.client.queries.argument_checks import path_given, why_no_file
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.client.queries.query_image import query_image, too_many_bytes
from lookalike.errors import Refused
from lookalike.library.paths import quoted
from lookalike.messages import ImageByKey, ImageByPath, SearchExample, SearchMessage, SearchQuery, first_fault
from lookalike.search.query import is_url, url_refused

ImageSource = str | os.PathLike[str] | bytes
Asked = TypeVar("Asked", bound=SearchQuery)


@dataclass(frozen=True)
class Example:
    """An image to search by: a file here, else a path of the library; or bytes. Or a point of the index, or a vector.

    `weight` says how much it counts among the examples, and is negative for what neighbours should be unlike.
    `box` chooses a part of the upright picture: left, top, right and bottom as fractions from 0 to 1; `box_px` does so
    in pixels. `id` is that of a neighbour, `vector` has the index's dimension, also as an array of NumPy.
    """

    image: ImageSource | None = None
    weight: float = 1.0
    box: Sequence[float] | None = None
    _: KW_ONLY
    box_px: Sequence[int] | None = None
    id: str | uuid.UUID | None = None
    vector: Iterable[float] | None = None


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


def search_query(kind: type[Asked], examples: Sequence[Example], **fields: object) -> Asked:
    """The query about these examples, each image under a key of its own. Raises Refused naming the faulty field."""
    wired = [
        {"image": _image(one), "weight": one.weight, "box": one.box, "box_px": _listed(one.box_px)} for one in examples
    ]
    try:
        return kind.model_validate({"examples": wired, **fields})
    except ValidationError as error:
        raise Refused(f"The search cannot be sent: {first_fault(error)}.") from None


def search_message(examples: Sequence[Example], **fields: object) -> SearchMessage:
    """The message about these examples. Raises Refused naming the faulty field."""
    return search_query(SearchMessage, examples, **fields)


def _image(one: Example) -> dict[str, Any]:
    """The image of an example as it travels; one that must be looked at first gets a key."""
    given = [name for name in ("image", "id", "vector") if getattr(one, name) is not None]
    if len(given) > 1:
        raise Refused(f"An example has one of image, id and vector, and this one has {' and '.join(given)}.")
    if one.id is not None:
        return {"id": str(one.id).lower()}
    return {"key": str(uuid.uuid4())} if one.vector is None else {"vector": _listed(one.vector)}


def _listed(numbers: Any) -> Any:
    """A sequence as a list of Python's own numbers; anything else unchanged, to be refused with its field."""
    if hasattr(numbers, "tolist"):
        return numbers.tolist()
    return [*numbers] if isinstance(numbers, Iterable) and not isinstance(numbers, str | bytes) else numbers


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of examples as they are sent; `is_indexed` asks whether a path of the library has a vector."""

    paths: CallerPaths
    is_indexed: Callable[[str], bool]
    max_bytes: int
    scaled: bool = True

    def read(
        self, image: ImageSource | None, sent: SearchExample, *, hashed: bool = False
    ) -> tuple[SearchExample, bytes | None]:
        """The example as it is sent, and the bytes for its key if it needs them. Raises Refused.

        An image that lies in the library says where: there its embedding is, whatever its size. One that is scaled down
        tells the hash of the original if it is to be `hashed`.
        """
        if isinstance(image, bytes):
            return self._with_bytes(image, sent, None, hashed=hashed)
        if isinstance(image, str) and (there := self.paths.in_bucket(image)) is not None:
            return sent.model_copy(update={"image": ImageByPath(path=there)}), None
        if isinstance(image, str) and is_url(image) and not os.path.lexists(image):
            raise Refused(url_refused(image))
        path = path_given(image)
        if os.path.isfile(path):  # noqa: PTH113 - a name that is too long or not valid is no file, and no error
            inside = self.paths.relative(path) if self.paths.contains(path) else None
            if inside is not None and path.stat().st_size > self.max_bytes and self.is_indexed(inside):
                return sent.model_copy(update={"image": ImageByPath(path=inside)}), None
            return self._with_bytes(path, sent, inside, hashed=hashed)
        reason = why_no_file(path)
        if reason is not None:
            raise Refused(f"{quoted(str(path))} cannot be searched for: {reason}.")
        return sent.model_copy(update={"image": ImageByPath(path=self.paths.relative(path))}), None

    def _with_bytes(
        self, image: Path | bytes, sent: SearchExample, inside: str | None, *, hashed: bool
    ) -> tuple[SearchExample, bytes | None]:
        found = query_image(
            image, max_bytes=self.max_bytes, scaled=self.scaled, hashed=hashed, box=sent.box, box_px=sent.box_px
        )
        changed = {"path": inside, "sha256": found.sha256, "box": found.box, "box_px": found.box_px}
        return sent.model_copy(update=changed), found.blob


def with_images(query: Asked, examples: Sequence[Example], reader: ImageReader) -> tuple[Asked, dict[str, bytes]]:
    """The query with a path in place of each key whose image is in the index, and the bytes of the others by key.

    Raises Refused if an image is at fault, or all of them have too many bytes together.
    """
    wired, blobs = [], {}
    for one, keyed in zip(examples, query.examples, strict=True):
        if not isinstance(keyed.image, ImageByKey):
            wired.append(keyed)
            continue
        sent, blob = reader.read(one.image, keyed, hashed=query.exclude_self)
        wired.append(sent)
        if blob is not None:
            blobs[keyed.image.key] = blob
    total = sum(map(len, blobs.values()))
    if total > reader.max_bytes:
        raise Refused(f"The search cannot be sent: {too_many_bytes(total, reader.max_bytes)}.")
    return query.model_copy(update={"examples": wired}), blobs
