"""Takes vectors that another program made, paths and vectors alone: `lookalike import --as NAME`.

What a payload needs besides is looked up in the library: each file is opened once, and nothing is embedded.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from qdrant_client import QdrantClient

from lookalike.errors import Misconfigured, Refused
from lookalike.library.errors import Changing, ReadFailed, Rejected
from lookalike.library.kinds import Reader as Files
from lookalike.library.paths import escape_path, is_utf8, validate_path
from lookalike.settings import Settings
from lookalike.system.data_folder import data_folder
from models.contract import ModelCard
from worker.connecting import library_reader
from worker.index.collection import ensure
from worker.index.collection_options import CollectionOptions
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import ImageMetadata, indexed_payload
from worker.index.points import PointWrite, Vector
from worker.index.qdrant import QdrantIndex, call_store
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.imported import imported_card, write_imported
from worker.moving.collections import patiently
from worker.moving.export import Tell
from worker.moving.filling import write
from worker.moving.rows import Reader, Rows

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
# Decoded only for what its payload tells, so at the smallest size.
GLANCE_PX = 32


@dataclass
class Taken:
    """Rows that were written, that the index had already, and those whose file is missing or cannot be opened."""

    written: int = 0
    there: int = 0
    missing: int = 0
    unreadable: int = 0

    @property
    def done(self) -> int:
        """All rows so far."""
        return sum(asdict(self).values())


def take_foreign(settings: Settings, client: QdrantClient, reader: Reader, name: str, tell: Tell) -> dict[str, Any]:
    """Makes an index of the vectors under this name. Raises Refused, CollectionMismatch, Misconfigured, Unavailable."""
    if NAME.fullmatch(name) is None:
        raise Refused(f"{name!r} cannot name vectors: take up to 40 letters, digits, `-` and `_`.")
    if reader.header is not None:
        raise Refused("The file says which model made its vectors: import it without --as.")
    if settings.library is None or settings.data is None:
        raise Misconfigured("The vectors are of files of a library: name its folder with --library.")
    pages = reader.pages()
    first = next(pages, [])
    if not first:
        raise Refused("The file has no rows.")
    card = imported_card(name, len(_vector(first[0])))
    options = CollectionOptions.of(settings)
    spec = CollectionSpec(settings.name, card, settings.distance, library_id=settings.library_id, options=options)
    opened = patiently(lambda: call_store(ensure, client, spec))
    write_imported(data_folder(settings).models, card)
    enable_formats()
    library = library_reader(settings)
    index = QdrantIndex(client, opened.name, request_bytes=settings.store_request_bytes)
    taking = _Taking(settings, library, index, card, opened.identity.generation)
    for page in itertools.chain([first], pages):
        taking.add(page)
        tell(taking.taken.done, max(taking.taken.done, reader.count))
    return {**asdict(taking.taken), "collection": opened.name, "model": name, "verdicts": 0}


@dataclass
class _Taking:
    """Writes rows with what the library tells of their files."""

    settings: Settings
    library: Files
    index: QdrantIndex
    card: ModelCard
    generation: str
    taken: Taken = field(default_factory=Taken)

    def add(self, rows: Rows) -> None:
        vectors = {_path(row): _unit(_vector(row), self.card.dimension) for row in rows}
        known = patiently(lambda: self.index.get_files([*vectors]))
        writes: list[PointWrite] = []
        for path, vector in vectors.items():
            version = self.library.version(path)
            file = known.get(path)
            if version is None:
                self.taken.missing += 1
            elif file is not None and file.status == "indexed" and file.describes(version):
                self.taken.there += 1
            else:
                writes += self._write(path, vector)
        write(self.index, writes)
        self.taken.written += len(writes)

    def _write(self, path: str, vector: Vector) -> Iterator[PointWrite]:
        glance = dataclasses.replace(self.card, height_px=GLANCE_PX, width_px=GLANCE_PX)
        try:
            content = self.library.read(path)
            if content is None:
                self.taken.missing += 1
                return
            image = decode_image(content.blob, glance, max_pixels=self.settings.max_image_pixels)
        except (Rejected, ReadFailed, Changing):
            self.taken.unreadable += 1
            return
        metadata = ImageMetadata(content.sha256, image.format, image.width_px, image.height_px, image.taken_at)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        yield PointWrite(indexed_payload(path, content.version, metadata, now, self.generation), {"embedding": vector})


def _path(row: PointWrite) -> str:
    """The path as the index has it. Raises Refused."""
    path = str(row.payload["path"])
    return validate_path(path if is_utf8(path) else escape_path(path))


def _vector(row: PointWrite) -> Vector:
    return (row.vectors or {}).get("embedding", ())


def _unit(vector: Vector, dimension: int) -> Vector:
    """The vector of length 1, as those of a model are. Raises Refused."""
    found = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(found))
    if found.shape != (dimension,) or not np.isfinite(length) or length == 0:
        raise Refused(
            f"The file has a vector of {len(vector)} numbers that cannot stand with the others: each has {dimension}, "
            "all finite and not all 0."
        )
    return (found / length).tolist()  # type: ignore[no-any-return]
