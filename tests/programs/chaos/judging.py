"""What should be in the index, found out from the disk without any code that decides it there, and what is."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient

from lookalike.library.errors import Rejected
from lookalike.library.paths import escape_path, is_utf8
from tests.programs.chaos.writing import KINDS
from worker.index.payload import VECTORS
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder

MIN_COSINE = 0.9999
PAGE = 1000
MAX_PIXELS = 128_000_000
SUFFIXES = tuple(f".{extension}" for extension in KINDS.values())

# One for each output of the model, by the name of the vector in the index.
Embeddings = dict[str, npt.NDArray[np.float32]]
Stamps = dict[str, tuple[int, int]]


@dataclass
class Verdict:
    """Paths that are not as they should be, and how many are."""

    indexed: int = 0
    rejected: int = 0
    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def files_of(root: Path) -> dict[str, Path]:
    """Every file that must be known, by its name as messages say it."""
    inside = os.path.realpath(root) + os.sep
    files = {}
    for where, folders, names in os.walk(root):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        for name in names:
            path = Path(where) / name
            is_candidate = name.lower().endswith(SUFFIXES) and not name.startswith(".")
            if is_candidate and path.is_file() and os.path.realpath(path).startswith(inside):
                files[escape_path(str(path.relative_to(root)))] = path
    return files


def stamps_of(root: Path) -> Stamps:
    """Size and time of each of these files; zeros for names that cannot be said, which are rejected unread."""
    found = ((path, file.stat(), is_utf8(str(file))) for path, file in files_of(root).items())
    return {path: (status.st_size, status.st_mtime_ns) if sayable else (0, 0) for path, status, sayable in found}


def judge(root: Path, store: QdrantClient, collection: str, model: Path) -> Verdict:
    """Compares each file's fresh embedding with the index, and the index with the files."""
    enable_formats()
    embedder = Embedder(model, inference_batch=1)
    fresh: dict[str, Embeddings | None] = {}
    verdict = Verdict()
    files, points = files_of(root), _points(store, collection)
    for path, file in files.items():
        if path not in points:
            verdict.lost.append(path)
            continue
        stamp, vectors = points.pop(path)
        expected = None
        if is_utf8(str(file)):
            content = file.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            if sha256 not in fresh:
                fresh[sha256] = _embedded(content, embedder)
            expected = fresh[sha256]
            status = file.stat()
            if stamp != (status.st_size, status.st_mtime_ns):
                verdict.wrong.append(f"{path} is stale")
                continue
        if (expected is None) != (vectors is None):
            verdict.wrong.append(f"{path} is {'indexed' if expected is None else 'rejected'}")
        elif expected is None or vectors is None:
            verdict.rejected += 1
        elif (cosine := _least_cosine(expected, vectors)) < MIN_COSINE:
            verdict.wrong.append(f"{path} has a cosine of {cosine:.5f}")
        else:
            verdict.indexed += 1
    verdict.ghosts += points
    return verdict


def _points(store: QdrantClient, collection: str) -> dict[str, tuple[tuple[int, int], Embeddings | None]]:
    points = {}
    after = None
    while True:
        records, after = store.scroll(collection, limit=PAGE, offset=after, with_vectors=True)
        for record in records:
            payload = record.payload or {}
            vectors = record.vector if isinstance(record.vector, dict) else {}
            arrays = {name: np.array(vector, np.float32) for name, vector in vectors.items()}
            found = arrays if payload["status"] == "indexed" else None
            points[payload["path"]] = ((payload["size_bytes"], payload["mtime_ns"]), found)
        if after is None:
            return points


def _least_cosine(expected: Embeddings, vectors: Embeddings) -> float:
    """-1 if there are others than expected."""
    if expected.keys() != vectors.keys():
        return -1.0
    return min(float(np.vdot(expected[name], one) / np.linalg.norm(one)) for name, one in vectors.items())


def _embedded(content: bytes, embedder: Embedder) -> Embeddings | None:
    try:
        picture = decode_image(content, embedder.card, max_pixels=MAX_PIXELS)
    except Rejected:
        return None
    return {VECTORS[by]: rows[0] for by, rows in embedder.describe([picture.pixels]).items()}
