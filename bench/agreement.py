"""Whether searches say what NumPy says: `python -m bench.agreement --photos DIR`. Exit code 1 if they do not.

The photos are embedded by the shipped model and put into an embedded engine once for each metric. Then queries of one
example, and of three of which one is unlike, are asked as the search worker asks them, whole and page by page, and
compared with the documented formulas over the same vectors.
"""

import argparse
import dataclasses
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from bench.photos import found
from bench.servers import store
from lookalike.library.version import folder_version
from lookalike.messages import SearchMessage
from lookalike.settings import Distance
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import ImageMetadata, indexed_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder
from worker.searching.search import Bounds, Search

QUERIES = 50
PAGE = 37
# Sums of so many float32 numbers: the engine and NumPy add them in another order.
TOLERANCE = {"cosine": 2e-6, "dot": 2e-6, "euclid": 2e-5, "manhattan": 2e-5}
METRICS: tuple[Distance, ...] = ("cosine", "dot", "euclid", "manhattan")
Vectors = NDArray[np.float64]


def scores(query: Vectors, vectors: Vectors, distance: Distance) -> Vectors:
    """The score of each of n vectors by the metric: float64 [n]."""
    if distance in ("cosine", "dot"):
        return np.asarray(vectors @ query)
    return np.asarray(np.linalg.norm(vectors - query, ord=2 if distance == "euclid" else 1, axis=1))


def combined(vectors: Vectors, weights: Sequence[float]) -> Vectors:
    """L2(sum of w * v / |v|): float64 [D]."""
    total = np.asarray(weights) @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return np.asarray(total / np.linalg.norm(total))


def faults(search: Search, names: list[str], vectors: Vectors, weights: Mapping[int, float]) -> list[str]:
    """What of one query is otherwise than NumPy says."""
    distance = search.distance
    query = combined(vectors[[*weights]], [*weights.values()])
    wanted = scores(query, vectors, distance)
    ask = {"examples": [{"image": {"path": names[at]}, "weight": weight} for at, weight in weights.items()]}

    def page(offset: int, limit: int) -> list[Any]:
        message = SearchMessage.model_validate(ask | {"offset": offset, "limit": limit})
        return search.find_neighbours(message).neighbours

    whole = page(0, len(names))
    by_name = dict(zip(names, wanted.tolist(), strict=True))
    off = max(abs(by_name[found.path] - found.score) for found in whole)
    sign = 1 if distance in ("euclid", "manhattan") else -1
    # In NumPy's scores no neighbour may be nearer than the one before it by more than the rounding.
    ranked = [sign * by_name[found.path] for found in whole]
    tiled = [found for at in range(0, len(names), PAGE) for found in page(at, PAGE)]
    said = {
        "not each image once": sorted(found.path for found in whole) != sorted(names),
        f"a score is off by {off:.1e}": off > TOLERANCE[distance],
        "the order is another": any(b < a - TOLERANCE[distance] for a, b in pairwise(ranked)),
        "equal scores are not by path": whole != sorted(whole, key=lambda it: (sign * it.score, it.path)),
        "pages do not tile": tiled != whole,
    }
    return [f"{distance}: {what}" for what, holds in said.items() if holds]


def main() -> int:
    """Prints how many queries of each metric agree."""
    parser = argparse.ArgumentParser(prog="python -m bench.agreement", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[1] / "models" / "resnet.onnx")
    given = parser.parse_args()
    enable_formats()
    embedder = Embedder(given.model, inference_batch=8)
    photos = [path for each in found(given.photos).values() for path in each]
    names = [f"{number}{photo.suffix}" for number, photo in enumerate(photos)]
    pixels = [decode_image(photo.read_bytes(), embedder.card, max_pixels=10**9).pixels for photo in photos]
    embedded = embedder.embed(pixels)
    draw, all_faults = random.Random(2), []  # noqa: S311 (which photos, no secret)
    with tempfile.TemporaryDirectory(prefix="bench-agreement-") as kept, store(Path(kept) / "store") as url:
        client = QdrantClient(url=url, check_compatibility=False, timeout=60)
        for distance in METRICS:
            spec = CollectionSpec(f"agreement-{distance}", embedder.card, distance, library_id="bench")
            index = QdrantIndex(client, ensure(client, spec).name, request_bytes=2**20)
            index.write(
                [
                    PointWrite(_payload(name, number), {"embedding": vector.tolist()})
                    for number, (name, vector) in enumerate(zip(names, embedded, strict=True))
                ]
            )
            bounds = dataclasses.replace(Bounds(), max_limit=len(names))
            search = Search(index, embedder, lambda *_: None, lambda _: None, distance, embedder.dimensions, bounds)  # type: ignore[arg-type]
            stored = index.vectors_of(names)
            vectors = np.array([stored[name] for name in names], np.float64)
            for kind in ("one example", "three, one of them unlike"):
                wrong = []
                for at in draw.sample(range(len(names)), QUERIES):
                    others = draw.sample([other for other in range(len(names)) if other != at], 2)
                    weights = {at: 1.0} if kind == "one example" else {at: 1.0, others[0]: 0.5, others[1]: -0.4}
                    wrong += faults(search, names, vectors, weights)[:1]
                print(f"{distance:10} {kind:26} {QUERIES - len(wrong)} of {QUERIES} agree")
                all_faults += wrong
        client.close()
    for fault in all_faults:
        print(fault)
    return 1 if all_faults else 0


def _payload(name: str, number: int) -> dict[str, Any]:
    metadata = ImageMetadata(f"{number:064x}", "JPEG", 300, 300, None)
    return indexed_payload(name, folder_version(1, 1), metadata, "2026-11-21T00:00:00+00:00", "bench")


if __name__ == "__main__":
    sys.exit(main())
