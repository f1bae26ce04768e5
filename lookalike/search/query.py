"""A query as it travels: examples, what may be found, and how many. lookalike/messages/ puts it into messages."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from lookalike.errors import Refused
from lookalike.library.paths import MAX_PATH_CHARS
from lookalike.search.combination import check_weights
from lookalike.search.filters import SearchFilter
from lookalike.strict import Strict

# Arguments show up in Flower and in Celery's events; larger images travel apart from the message.
MAX_INLINE_QUERY_BYTES = 64 * 1024
# Each uploaded example is decoded while other searches wait.
MAX_EXAMPLES = 64
# Only ratios of weights count; without a bound their sum could overflow.
MAX_WEIGHT = 1000.0
# A page costs the store as much as all pages before it; Elasticsearch has the same default (index.max_result_window).
MAX_OFFSET = 10_000
# Of all vectors in a message together, as many as Qdrant lets one vector have: 1.4 MB of JSON.
MAX_NUMBERS = 65_536
# Above the pixels of any picture that is decoded.
MAX_SIDE_PX = 2**31 - 1

RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATH_CHARS)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Base64 takes four characters for three bytes.
MAX_INLINE_CHARS = MAX_INLINE_QUERY_BYTES * 4 // 3 + 4
InlineImage = Annotated[str, StringConstraints(max_length=MAX_INLINE_CHARS)]
# What of an image is compared: what it shows, or by which a photo knows its copies (models/contract.py).
By = Literal["embedding", "copy"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class ImageByPath(Strict):
    """A path of the library: its vector in the index is used, and nothing is opened unless there is a box."""

    path: RelativePath


class ImageById(Strict):
    """A point of the index, by the `id` that neighbours have."""

    id: Uuid


class ImageByVector(Strict):
    """A vector of the index, in place of an image: of the kind that is compared. Only its direction counts."""

    vector: Annotated[list[Finite], Field(min_length=1, max_length=MAX_NUMBERS)]


class ImageByKey(Strict):
    """Bytes in Redis under `<name>:query:<key>`, which keeps them out of Flower and of the message."""

    key: Uuid


class ImageInline(Strict):
    """Bytes as base64, for Celery apps that have no Redis connection of their own; small ones only."""

    base64: InlineImage


FORMS = ("path", "id", "vector", "key", "base64")


def _form(image: Any) -> str | None:
    """Which of the forms an image has: the name of its only field."""
    names = [*image] if isinstance(image, Mapping) else [*getattr(type(image), "model_fields", ())]
    return names[0] if len(names) == 1 and names[0] in FORMS else None


Image = Annotated[
    Annotated[ImageByPath, Tag("path")]
    | Annotated[ImageById, Tag("id")]
    | Annotated[ImageByVector, Tag("vector")]
    | Annotated[ImageByKey, Tag("key")]
    | Annotated[ImageInline, Tag("base64")],
    Discriminator(
        _form, custom_error_type="image", custom_error_message=f"an image has exactly one of {', '.join(FORMS)}"
    ),
]


def _has_inside(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise ValueError("a box is [left, top, right, bottom] with left < right and top < bottom")
    return box


Fraction = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=0, le=MAX_SIDE_PX)]
# Left, top, right and bottom of the upright picture: as fractions of it, or in pixels.
Box = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], AfterValidator(_has_inside)]
BoxInPixels = Annotated[tuple[Pixels, Pixels, Pixels, Pixels], AfterValidator(_has_inside)]


class SearchExample(Strict):
    """An image that the neighbours should be like, or unlike if its weight is negative; of it only what is in the box.

    `box` is in fractions of the upright picture, `box_px` in its pixels; at most one of them, and neither for a point
    id or a vector. `path` is where the image lies in the library, if it does: of one that is too large to decode its
    embedding counts. `sha256` is that of the file if what is sent is a smaller copy of it, for `exclude_self`.
    """

    image: Image
    path: RelativePath | None = None
    sha256: Sha256 | None = None
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)] = 1.0
    box: Box | None = None
    box_px: BoxInPixels | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_no_url(cls, example: Any) -> Any:
        image = example.get("image") if isinstance(example, Mapping) else None
        if isinstance(image, Mapping) and ("url" in image or is_url(image.get("path"))):
            raise ValueError(url_refused(image.get("url", image.get("path"))))
        return example

    @model_validator(mode="after")
    def _has_one_box_of_a_picture(self) -> "SearchExample":
        if self.box is not None and self.box_px is not None:
            raise ValueError("give box (fractions) or box_px (pixels), not both")
        if self.is_boxed and isinstance(self.image, ImageById | ImageByVector):
            raise ValueError("a point id and a vector have no picture that a box could be cut from")
        return self

    @property
    def is_boxed(self) -> bool:
        """Whether only a part of the picture counts."""
        return self.box is not None or self.box_px is not None


class SearchQuery(Strict):
    """The `limit` nearest neighbours of the examples, best first, without the first `offset`.

    The examples are combined to one vector (lookalike/search/combination.py). Only files that `filter` describes are
    found, and only those whose score is as near as `score_threshold` or nearer: at least that for cosine and dot, at
    most that for euclid and manhattan. `min_similarity` is the same on the scale that is equal for all metrics, from 0
    to 1. `exclude_self` leaves out the examples' own files and all with the same content. With `group_exact` files of
    the same content are one neighbour with all their paths. Equal scores are in order of their paths. `by` chooses the
    vectors that are compared: "copy" finds the photo that an image is a piece or a copy of.
    """

    examples: Annotated[list[SearchExample], Field(min_length=1, max_length=MAX_EXAMPLES)]
    limit: Annotated[int, Field(ge=1)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    filter: SearchFilter | None = None
    score_threshold: Finite | None = None
    min_similarity: Annotated[float, Field(ge=0, le=1)] | None = None
    exclude_self: bool = False
    group_exact: bool = False
    by: By = "embedding"

    @model_validator(mode="after")
    def _has_a_direction(self) -> "SearchQuery":
        try:
            check_weights([example.weight for example in self.examples])
        except Refused as error:
            raise ValueError(str(error)) from error
        check_size([self])
        return self


def check_size(queries: Sequence[SearchQuery]) -> None:
    """Raises ValueError if the queries of one message have too many bytes or numbers within it."""
    images = [example.image for query in queries for example in query.examples]
    if sum(len(image.base64) for image in images if isinstance(image, ImageInline)) > MAX_INLINE_CHARS:
        raise ValueError(f"images in the message may have {MAX_INLINE_QUERY_BYTES} bytes together")
    if sum(len(image.vector) for image in images if isinstance(image, ImageByVector)) > MAX_NUMBERS:
        raise ValueError(f"vectors in the message may have {MAX_NUMBERS} numbers together")


def is_url(text: object) -> bool:
    """Whether this is a URL and not a path."""
    return isinstance(text, str) and _URL.match(text) is not None


def url_refused(url: object) -> str:
    """The sentence that refuses a URL."""
    return f"{str(url)[:100]!r} is a URL, and lookalike fetches nothing: get the image and search by its file or bytes."
