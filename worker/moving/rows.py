"""What all forms of files of vectors have in common.

A file holds a header, rows and, if there are any, verdicts. A row is a point of the index as it is written there: its
payload, and its vectors if it was indexed. Vectors of other people's models come without a header: of their rows only
the path and one vector are known.
"""

import base64
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from lookalike.errors import Refused
from lookalike.library.paths import unescape_path
from lookalike.search.query import By
from worker.index.points import PointWrite
from worker.moving.header import Header

# Rows that are in memory at once.
PAGE_ROWS = 512
# Names under which other people's files have their vectors.
VECTOR_NAMES = ("embedding", "vector", "vectors", "embeddings")
PATH_NAMES = ("path", "paths")
# Lines of verdicts, each one JSON object.
Verdicts = Sequence[str]
Rows = Sequence[PointWrite]


class Writer(Protocol):
    """Writes one file; `close` finishes it, and without it the file is not whole."""

    def add(self, rows: Rows) -> None:
        """Appends rows."""

    def close(self, verdicts: Verdicts) -> None:
        """Writes what comes last."""

    def abandon(self) -> None:
        """Closes what is open, of a file that is not finished."""


class Reader(Protocol):
    """Reads one file. Raises Refused for one that cannot be read."""

    @property
    def header(self) -> Header | None:
        """None if the vectors are of another program."""

    @property
    def count(self) -> int:
        """About how many rows there are; 0 if that is not known."""

    def pages(self) -> Iterator[Rows]:
        """All rows, in pages of at most PAGE_ROWS."""

    def verdicts(self) -> Verdicts:
        """The verdicts; to be asked for when all rows are read."""


def exact_name(path: str) -> bytes | None:
    """The bytes of the file's name, if its path in the index is an escaped form of them; else None."""
    name = unescape_path(path)
    return None if name == path else os.fsencode(name)


def row_of(payload: Mapping[str, Any], vectors: Mapping[By, Sequence[float] | None]) -> PointWrite:
    """A row with those of the vectors that there are."""
    found = {by: vector for by, vector in vectors.items() if vector is not None}
    return PointWrite(payload, found or None)


def foreign_row(path: object, vector: Sequence[float] | None, where: object) -> PointWrite:
    """A row of other people's. Raises Refused."""
    if not isinstance(path, str) or not path or vector is None:
        raise Refused(f"{where} has a row without a path or without a vector: each needs both.")
    return PointWrite({"path": path}, {"embedding": vector})


def in_pages(rows: Iterable[PointWrite]) -> Iterator[Rows]:
    """Pages of at most PAGE_ROWS."""
    page: list[PointWrite] = []
    for row in rows:
        page.append(row)
        if len(page) == PAGE_ROWS:
            yield page
            page = []
    if page:
        yield page


def as_base64(name: bytes) -> str:
    """Bytes as JSON can hold them."""
    return base64.b64encode(name).decode("ascii")
