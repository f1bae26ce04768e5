"""Writes an index into a file. Reads page by page, so that memory does not grow with the index."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import Refused
from worker.moving.collections import OwnCollection
from worker.moving.files import writer_of
from worker.moving.header import Header
from worker.moving.rows import Verdicts

Tell = Callable[[int, int], None]
"""Told of how many points are done, and of how many there are."""


@dataclass(frozen=True)
class Exported:
    """What was written: points in all, and those of them that are rejections, which have no vectors.

    `collection` is the one that was read.
    """

    collection: str
    points: int
    rejected: int
    verdicts: int
    bytes: int


def export(source: OwnCollection, out: Path, verdicts: Verdicts, tell: Tell) -> Exported:
    """Writes the file, which has its name only when it is whole. Raises Refused, Unavailable, StoreRefused."""
    if out.exists():
        raise Refused(f"{out} exists: remove it, or name another file.")
    if not out.parent.is_dir():
        raise Refused(f"There is no folder {out.parent} to write into: make it, or name another one.")
    expected = source.count()
    header = Header.now(source.identity, source.name, source.dimensions, expected)
    part = out.with_name(f".{out.name}.part")
    points = rejected = 0
    try:
        writer = writer_of(part, out, header)
        try:
            for rows in source.pages():
                writer.add(rows)
                points += len(rows)
                rejected += sum(row.vectors is None for row in rows)
                tell(points, max(points, expected))
            writer.close(verdicts)
        except BaseException:
            writer.abandon()
            raise
        _make_durable(part)
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)
    return Exported(source.name, points, rejected, len(verdicts), out.stat().st_size)


def _make_durable(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
