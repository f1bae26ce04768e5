"""What a job for duplicates finds: pairs of files with a label, and groups around a centre. Types of the contract.

Paths are relative to the library, as in every message (lookalike/messages/).
"""

from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import Field

from lookalike.strict import Strict

# exact: the same bytes. same: the same pixels. near: the same picture resized, re-encoded, cropped, mirrored, turned,
# framed or in grey. similar: another picture of the same thing. companion: files that belong together, such as RAW and
# JPEG, or an edited copy and its original.
Label = Literal["exact", "same", "near", "similar", "companion"]
# Surest first.
LABELS: Sequence[Label] = get_args(Label)


class FileFacts(Strict):
    """What the index knows of a file that decides which one of a group to keep.

    Bytes, nanoseconds since 1970 and pixels of the upright picture; `sha256` is that of its bytes, `taken_at` EXIF's
    time in ISO 8601, None without one.
    """

    path: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    width_px: int
    height_px: int
    format: str
    taken_at: str | None = None


class Pair(Strict):
    """Two files of a group, `a` being its centre; `similarity` is the cosine of their copy descriptors, 0 to 1."""

    a: str
    b: str
    label: Label
    similarity: float


class Group(Strict):
    """A centre and what is a copy of it by the verdict itself: each path other than the centre has a pair with it.

    `label` is the least sure label of its pairs. `paths` has the centre first, the others in order; `files` tells of
    each of them, in the order of `paths`.
    """

    label: Label
    centre: str
    paths: list[str]
    pairs: list[Pair]
    files: list[FileFacts] = Field(default_factory=list)


class Groups(Strict):
    """A page of groups, those with most bytes to save first; `next` is where the next page begins, None on the last."""

    groups: list[Group]
    next: int | None = None
