"""The contract of the three tasks: what may be sent, what comes back. Any Celery app may send these as JSON.

Every message has a version `v`; a worker refuses unknown ones. Paths are relative to the
library, POSIX, UTF-8, without `..`; times are nanoseconds since 1970, sizes are bytes.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lookalike.errors import Refused
from lookalike.library.paths import MAX_PATH_CHARS as MAX_PATH_CHARS  # noqa: PLC0414 (a bound of the contract, too)
from lookalike.library.version import FileVersion
from lookalike.search.combination import check_weights
from lookalike.search.filters import SearchFilter
from lookalike.search.neighbour import Neighbour

# Both ends must agree on these bounds, so they are constants and not settings.
# A read of 1,000 files takes about 10 ms; more per message would delay the searches behind it.
MAX_MESSAGE_PATHS = 1000
MAX_PAGE = 1000
# Arguments show up in Flower and in Celery's events; larger images travel apart from the message.
MAX_INLINE_QUERY_BYTES = 64 * 1024
# Each uploaded example is decoded while other searches wait.
MAX_EXAMPLES = 64
# Only ratios of weights count; without a bound their sum could overflow.
MAX_WEIGHT = 1000.0
# A page costs the store as much as all pages before it; Elasticsearch has the same default (index.max_result_window).
MAX_OFFSET = 10_000

RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATH_CHARS)]
Paths = Annotated[list[RelativePath], Field(max_length=MAX_MESSAGE_PATHS)]
QueryKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
# Base64 takes four characters for three bytes.
MAX_INLINE_CHARS = MAX_INLINE_QUERY_BYTES * 4 // 3 + 4
InlineImage = Annotated[str, StringConstraints(max_length=MAX_INLINE_CHARS)]
# Model file, decoder revision and distance, as CountsReply tells it.
Generation = Annotated[str, StringConstraints(min_length=1, max_length=100)]
# What of an image is compared: what it shows, or by which a photo knows its copies (models/contract.py).
By = Literal["embedding", "copy"]


class Strict(BaseModel):
    """Frozen; an unknown field is an error, so that a misspelled one is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SyncMessage(Strict):
    """Which paths to look at, not what happened to them. See docs/glossary.md, "sync".

    `gone` are paths that the sender saw disappear; with the id of the library it is the first of the
    two witnesses that deleting needs. `left_out` are paths that the rules of the library leave out, `rules` the digest
    of these rules. `retry_rejected` also tries rejected files that have not changed.
    """

    v: Literal[1] = 1
    paths: Paths = []
    gone: Paths = []
    left_out: Paths = []
    library: str | None = None
    rules: str | None = None
    retry_rejected: bool = False
    # The generation of the index that is meant; None is the one that is searched.
    generation: Generation | None = None


class SyncReply(Strict):
    """How many paths ended which way."""

    embedded: int = 0
    copied: int = 0
    unchanged: int = 0
    rejected: int = 0
    deleted: int = 0
    absent: int = 0


class ImageByPath(Strict):
    """A path of the library."""

    path: RelativePath


class ImageByKey(Strict):
    """Bytes in Redis under `<name>:query:<key>`, which keeps them out of Flower and of the message."""

    key: QueryKey


class ImageInline(Strict):
    """Bytes as base64, for Celery apps that have no Redis connection of their own; small ones only."""

    base64: InlineImage


def _inside(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise ValueError("a box is [left, top, right, bottom] with left < right and top < bottom")
    return box


Fraction = Annotated[float, Field(ge=0, le=1)]
# Left, top, right and bottom as fractions of the upright picture.
Box = Annotated[tuple[Fraction, Fraction, Fraction, Fraction], AfterValidator(_inside)]


class SearchExample(Strict):
    """An image that the neighbours should be like, or unlike if its weight is negative; of it only what is in `box`.

    `path` is where the image lies in the library, if it does: of one that is too large to decode its embedding counts.
    """

    image: ImageByPath | ImageByKey | ImageInline
    path: RelativePath | None = None
    weight: Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)] = 1.0
    box: Box | None = None


class SearchMessage(Strict):
    """Asks for the `limit` nearest neighbours of the examples, best first, without the first `offset`.

    The examples are combined to one vector (lookalike/search/combination.py). Only files that `filter` describes are
    found, and only those whose score is as near as `score_threshold` or nearer: at least that for cosine and dot, at
    most that for euclid and manhattan. `by` chooses the vectors that are compared: "copy" finds the photo that an
    image is a piece or a copy of.
    """

    v: Literal[1] = 1
    by: By = "embedding"
    examples: Annotated[list[SearchExample], Field(min_length=1, max_length=MAX_EXAMPLES)]
    generation: Generation | None = None
    limit: Annotated[int, Field(ge=1)] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    filter: SearchFilter | None = None
    score_threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_the_new_form(cls, message: Any) -> Any:
        if isinstance(message, dict) and "image" in message:
            raise ValueError('an image is one of the examples now: {"examples": [{"image": {"path": "a.jpg"}}]}')
        return message

    @model_validator(mode="after")
    def _has_a_direction(self) -> "SearchMessage":
        try:
            check_weights([example.weight for example in self.examples])
        except Refused as error:
            raise ValueError(str(error)) from error
        inline = [example.image.base64 for example in self.examples if isinstance(example.image, ImageInline)]
        if sum(map(len, inline)) > MAX_INLINE_CHARS:
            raise ValueError(f"images in the message may have {MAX_INLINE_QUERY_BYTES} bytes together")
        return self


class SearchReply(Strict):
    """Neighbours, best first, and the milliseconds that the worker took.

    `note` is one sentence if it was answered otherwise than asked.
    """

    neighbours: list[Neighbour]
    took_ms: float
    note: str | None = None


class ReadCounts(Strict):
    """Asks how much is in the index, and what the index is."""

    what: Literal["counts"] = "counts"


class ReadPage(Strict):
    """Asks for a page of the index in order of point id; `after` is the `next` of the page before.

    `status` keeps only files of that status, `under` only files in that folder or below it.
    """

    what: Literal["page"] = "page"
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = MAX_PAGE
    status: Literal["indexed", "rejected"] | None = None
    under: RelativePath | None = None


class ReadKnown(Strict):
    """Asks what the index knows of these paths."""

    what: Literal["known"] = "known"
    paths: Paths


class ReadMessage(Strict):
    """One question to the index; questions never change anything."""

    v: Literal[1] = 1
    ask: Annotated[ReadCounts | ReadPage | ReadKnown, Field(discriminator="what")]


class CountsReply(Strict):
    """Numbers of points, and the identity of the index.

    `near` is the least cosine of two copy descriptors to call one image a copy of the other, `similar` the least that
    is worth a second look, as the model file has them. `has_copies`: whether a search by copy descriptor is possible.
    """

    indexed: int
    rejected: int
    library: str
    model: str
    distance: str
    backend: str
    precision: str
    threads: int
    generation: Generation
    has_copies: bool = False
    near: float | None = None
    similar: float | None = None


class KnownFile(Strict):
    """What the index knows of one file."""

    path: str
    status: Literal["indexed", "rejected"]
    # Opaque: equal for equal bytes of one path. See lookalike/library/version.py.
    version: str
    size_bytes: int
    mtime_ns: int
    reason: str | None = None
    # Whether it killed or hung the process that opened it.
    poison: bool = False

    @property
    def file_version(self) -> FileVersion:
        """The version of the file that the entry was made from."""
        return FileVersion(self.version, self.size_bytes, self.mtime_ns)

    def describes(self, version: FileVersion) -> bool:
        """Whether the entry was made from this version of the file.

        A file that killed or hung its process is not opened again for less than another size or mtime.
        """
        facts = (self.size_bytes, self.mtime_ns) == (version.size_bytes, version.mtime_ns)
        return facts and (self.poison or self.version == version.token)


class FilesReply(Strict):
    """Known files; `next` is where the next page begins, None on the last."""

    files: list[KnownFile]
    next: str | None = None


def first_fault(error: ValidationError) -> str:
    """The first fault of a message and its field, in words: "filter.width_px.gte: Input should be ..."."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "message"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"
