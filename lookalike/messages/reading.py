"""The message that asks the index, and its answers. Questions never change anything."""

from typing import Annotated, Literal

from pydantic import Field

from lookalike.duplicates.verdict_messages import ReadVerdicts
from lookalike.library.version import FileVersion
from lookalike.messages.bounds import MAX_PAGE, Generation, Paths
from lookalike.search.query import RelativePath
from lookalike.strict import Strict


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
