"""The contract of the tasks: what may be sent, what comes back. Any Celery app may send these as JSON.

Every message has a version `v`; a worker refuses unknown ones. Paths are relative to the
library, POSIX, UTF-8, without `..`; times are nanoseconds since 1970, sizes are bytes.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from lookalike.duplicates.groups import LABELS, Label
from lookalike.duplicates.verdict_messages import NewVerdict, ReadVerdicts, VerdictMessage, VerdictReply, VerdictsReply
from lookalike.library.paths import MAX_PATH_CHARS as MAX_PATH_CHARS  # noqa: PLC0414 (a bound of the contract, too)
from lookalike.library.version import FileVersion
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import (
    MAX_EXAMPLES,
    MAX_INLINE_QUERY_BYTES,
    MAX_NUMBERS,
    MAX_OFFSET,
    ImageById,
    ImageByKey,
    ImageByPath,
    ImageByVector,
    ImageInline,
    RelativePath,
    SearchExample,
    SearchQuery,
    check_size,
)
from lookalike.strict import Strict

# What a search is made of is in lookalike/search/query.py, verdicts in lookalike/duplicates/.
__all__ = [
    "MAX_EXAMPLES",
    "MAX_INLINE_QUERY_BYTES",
    "MAX_MESSAGE_PATHS",
    "MAX_NUMBERS",
    "MAX_OFFSET",
    "MAX_PAGE",
    "MAX_PATH_CHARS",
    "MAX_QUERIES",
    "CountsReply",
    "DuplicatesMessage",
    "DuplicatesReply",
    "FilesReply",
    "ImageById",
    "ImageByKey",
    "ImageByPath",
    "ImageByVector",
    "ImageInline",
    "KnownFile",
    "NewVerdict",
    "QueryReply",
    "ReadCounts",
    "ReadKnown",
    "ReadMessage",
    "ReadPage",
    "ReadSample",
    "ReadVerdicts",
    "SampleReply",
    "SearchExample",
    "SearchManyMessage",
    "SearchManyReply",
    "SearchMessage",
    "SearchQuery",
    "SearchReply",
    "Strict",
    "SyncMessage",
    "SyncReply",
    "ThumbnailMessage",
    "ThumbnailReply",
    "VerdictMessage",
    "VerdictReply",
    "VerdictsReply",
    "first_fault",
]

# Both ends must agree on these bounds, so they are constants and not settings.
# A read of 1,000 files takes about 10 ms; more per message would delay the searches behind it.
MAX_MESSAGE_PATHS = 1000
MAX_PAGE = 1000
# LOOKALIKE_MAX_BATCH_QUERIES is the bound of a system, and may be lower.
MAX_QUERIES = 1000
# More is no thumbnail: the original is there to be looked at.
MAX_THUMBNAIL_PX = 1024

Paths = Annotated[list[RelativePath], Field(max_length=MAX_MESSAGE_PATHS)]
# Model file, decoder revision and distance, as CountsReply tells it.
Generation = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class SyncMessage(Strict):
    """Which paths to look at, not what happened to them. See docs/glossary.md, "sync".

    `gone` are paths that the sender saw disappear; with the id of the library it is the first of the
    two witnesses that deleting needs. `left_out` are paths that the rules of the library leave out, `rules` the digest
    of these rules. `retry_rejected` also tries rejected files that have not changed.
    """

    v: Literal[1] = 1
    paths: Paths = Field(default_factory=list)
    gone: Paths = Field(default_factory=list)
    left_out: Paths = Field(default_factory=list)
    library: str | None = None
    rules: str | None = None
    retry_rejected: bool = False
    # The generation of the index that is meant; None is the one that is searched.
    generation: Generation | None = None


class SyncReply(Strict):
    """How many paths ended which way; `split` were sent again, each alone, because one of them breaks its process."""

    embedded: int = 0
    copied: int = 0
    unchanged: int = 0
    rejected: int = 0
    deleted: int = 0
    absent: int = 0
    split: int = 0


class SearchMessage(SearchQuery):
    """Asks one query (lookalike/search/query.py has its fields)."""

    v: Literal[1] = 1
    generation: Generation | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_the_new_form(cls, message: Any) -> Any:
        if isinstance(message, dict) and "image" in message:
            raise ValueError('an image is one of the examples now: {"examples": [{"image": {"path": "a.jpg"}}]}')
        return message


class SearchReply(Strict):
    """Neighbours, best first, and the milliseconds that the worker took.

    `note` is a sentence for people if nothing was found, or if it was answered otherwise than asked.
    """

    neighbours: list[Neighbour]
    took_ms: float
    note: str | None = None


class SearchManyMessage(Strict):
    """Asks many queries at once: the model and the store are asked once for all of them."""

    v: Literal[1] = 1
    queries: Annotated[list[SearchQuery], Field(min_length=1, max_length=MAX_QUERIES)]
    generation: Generation | None = None

    @model_validator(mode="after")
    def _fits(self) -> "SearchManyMessage":
        check_size(self.queries)
        return self


class QueryReply(Strict):
    """The answer to one of many queries: neighbours, or the sentence that refuses this one."""

    neighbours: list[Neighbour] = Field(default_factory=list)
    note: str | None = None
    error: str | None = None


class SearchManyReply(Strict):
    """One answer for each query, in their order, and the milliseconds that the worker took for all."""

    replies: list[QueryReply]
    took_ms: float


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


class ReadSample(Strict):
    """Asks for `count` files that are as unlike each other as can be; `under` only in that folder or below it."""

    what: Literal["sample"] = "sample"
    count: Annotated[int, Field(ge=1, le=MAX_PAGE)]
    under: RelativePath | None = None


class ReadMessage(Strict):
    """One question to the index; questions never change anything."""

    v: Literal[1] = 1
    ask: Annotated[ReadCounts | ReadPage | ReadKnown | ReadSample | ReadVerdicts, Field(discriminator="what")]


class DuplicatesMessage(Strict):
    """Asks for groups of files that hold one picture, of these labels: with a file in `folder` or below it, or all.

    `since_last`: only groups with a content that came since the last job.
    """

    v: Literal[1] = 1
    folder: RelativePath | None = None
    since_last: bool = False
    labels: Annotated[list[Label], Field(min_length=1, max_length=len(LABELS))] = Field(
        default_factory=lambda: list(LABELS[:3])
    )


class DuplicatesReply(Strict):
    """How many files there are, contents that were new and compared, groups, and pairs of each label in them.

    `approximate` if the nearest of each were looked for by the store's index, which may miss some. `saved_bytes` are
    those of the files that a plan to keep the best would move; `took_s` seconds the job took.
    """

    files: int
    compared: int
    approximate: bool
    groups: int
    pairs: dict[Label, int]
    saved_bytes: int
    took_s: float


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


class SampleReply(Strict):
    """Paths of a varied few, the least odd one first, chosen `among` so many files (LOOKALIKE_MAX_SAMPLE_FILES)."""

    paths: list[str]
    among: int


class ThumbnailMessage(Strict):
    """Asks for a small upright picture in sRGB, at most `side_px` wide and high: of a file of the index, or of bytes.

    Of bytes that are sent it tells whether a worker can open them, which is all that is known of a file before it is
    put into the library.
    """

    v: Literal[1] = 1
    image: Annotated[ImageByPath | ImageByKey, Field(union_mode="smart")]
    side_px: Annotated[int, Field(ge=1, le=MAX_THUMBNAIL_PX)] = 256


class ThumbnailReply(Strict):
    """The picture as a JPEG in base64, and of the original its format and its upright size in pixels."""

    jpeg: str
    format: str
    width_px: int
    height_px: int


def first_fault(error: ValidationError) -> str:
    """The first fault of a message and its field, in words: "filter.width_px.gte: Input should be ..."."""
    fault = error.errors(include_url=False)[0]
    parts = [str(part) for part in fault["loc"]]
    # An image and its only field have one name.
    named = [part for at, part in enumerate(parts) if at == 0 or part != parts[at - 1]]
    where = ".".join(named) or "message"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"
