"""What the settings of the index do to recall, time and memory: `python -m bench.recall PHOTOS [--model M] [--json]`.

Embeds the photos of a folder as the workers do, keeps 300 of them out as queries, and for each setting writes the rest
into an edge server of its own, waits for the index, opens it again as after any start, and asks for ten neighbours over
one kept connection. Recall is the share of the ten that NumPy finds among all vectors, exactly.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient
from qdrant_client.models import Batch, Distance, SearchParams

from bench.photos import found
from bench.store_process import footprint, store_process
from lookalike.library.errors import Rejected
from lookalike.settings import read_settings
from lookalike.system.store_access import UNCOMPRESSED
from worker.connecting import CONNECTION_LIMITS
from worker.index.collection_options import CollectionOptions
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder, model_path

NEIGHBOURS = 10
QUERIES = 300
AT_ONCE = 64
WRITTEN_AT_ONCE = 256
INDEXED_WITHIN_S = 600.0
NAME = "recall"

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """One way to keep an index, and the numbers of candidates that its searches look at; 0 is an exact search."""

    name: str
    options: CollectionOptions
    candidates: Sequence[int | None]


SETTINGS = (
    Setting("defaults", CollectionOptions(), (0, None, 16, 64, 256)),
    Setting("LOOKALIKE_VECTORS_ON_DISK=true", CollectionOptions(vectors_on_disk=True), (0, None)),
    Setting("LOOKALIKE_QUANTIZATION=int8", CollectionOptions(quantization="int8"), (None, 256)),
    Setting("both", CollectionOptions(vectors_on_disk=True, quantization="int8"), (None, 256)),
)


def embeddings(folder: Path, model: Path, count: int) -> Embeddings:
    """Those of at most `count` photos of the folder, drawn from all that are there: float32 [n, dimension]."""
    enable_formats()
    embedder = Embedder(model, inference_batch=8)

    def pixels(path: Path) -> NDArray[np.uint8] | None:
        try:
            return decode_image(path.read_bytes(), embedder.card, max_pixels=10**9).pixels
        except Rejected:
            return None

    paths = found(folder)["PHOTOS"]
    paths = [paths[number] for number in np.random.default_rng(0).permutation(len(paths))[:count]]
    with ThreadPoolExecutor(1) as pool:
        batches = [paths[first : first + AT_ONCE] for first in range(0, len(paths), AT_ONCE)]
        decoded = pool.map(lambda batch: [one for one in map(pixels, batch) if one is not None], batches)
        return np.concatenate([embedder.embed(batch) for batch in decoded])


def nearest(points: Embeddings, queries: Embeddings) -> list[set[int]]:
    """Numbers of the ten nearest points of each query by cosine, exactly."""
    return [set(np.argsort(-row)[:NEIGHBOURS].tolist()) for row in queries @ points.T]


def measure(setting: Setting, points: Embeddings, queries: Embeddings) -> Iterator[dict[str, Any]]:
    """A row for each number of candidates: recall, ms, and MiB of the server after its searches."""
    truth = nearest(points, queries)
    with tempfile.TemporaryDirectory(prefix="bench-recall-") as folder:
        data = Path(folder) / "data"
        with store_process(data, hnsw_threshold=len(points) - 1) as server:
            _fill(server.url, setting.options, points)
        for candidates in setting.candidates:
            # Opened again: what writing and other searches left in memory is not the point.
            with store_process(data, hnsw_threshold=2 * len(points)) as server:
                ids, took_ms = _search(server.url, queries, candidates)
                taken = footprint(server.pid, data)
            hits = sum(len(near & far) for near, far in zip(ids, truth, strict=True))
            p50, p95 = np.percentile(took_ms, [50, 95])
            yield {
                "setting": setting.name,
                "hnsw_ef": "exact" if candidates == 0 else candidates,
                "points": len(points),
                "recall_at_10": round(hits / (NEIGHBOURS * len(queries)), 4),
                "p50_ms": round(float(p50), 2),
                "p95_ms": round(float(p95), 2),
                "own_mib": taken.anonymous,
                "mapped_mib": taken.file,
                "disk_mib": taken.disk,
            }


def _client(url: str) -> QdrantClient:
    return QdrantClient(url=url, check_compatibility=False, limits=CONNECTION_LIMITS, headers=UNCOMPRESSED, timeout=60)


def _fill(url: str, options: CollectionOptions, points: Embeddings) -> None:
    client = _client(url)
    client.create_collection(NAME, **options.arguments({"embedding": points.shape[1]}, Distance.COSINE))
    for first in range(0, len(points), WRITTEN_AT_ONCE):
        rows = points[first : first + WRITTEN_AT_ONCE]
        numbers = range(first, first + len(rows))
        payloads = [{"path": f"{number}.jpg"} for number in numbers]
        client.upsert(NAME, Batch(ids=[*numbers], vectors={"image": rows.tolist()}, payloads=payloads), wait=True)
    until = time.monotonic() + INDEXED_WITHIN_S
    while not _is_indexed(client, len(points)):
        if time.monotonic() > until:
            raise TimeoutError(f"no index after {INDEXED_WITHIN_S:.0f} s")
        time.sleep(0.2)
    client.close()


def _is_indexed(client: QdrantClient, points: int) -> bool:
    info = client.get_collection(NAME)
    return info.status == "green" and (info.indexed_vectors_count or 0) >= points


def _search(url: str, queries: Embeddings, candidates: int | None) -> tuple[list[set[int]], list[float]]:
    """Ids and milliseconds of each search; the first round only warms up."""
    params = SearchParams(exact=True) if candidates == 0 else SearchParams(hnsw_ef=candidates)
    client, ids, took_ms = _client(url), [], []
    for is_measured in (False, True):
        for query in queries.tolist():
            begun = time.perf_counter()
            answer = client.query_points(NAME, query=query, using="image", limit=NEIGHBOURS, search_params=params)
            if is_measured:
                took_ms.append((time.perf_counter() - begun) * 1000)
                ids.append({int(point.id) for point in answer.points})
    client.close()
    return ids, took_ms


def main() -> int:
    """Prints a row as soon as it is measured, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.recall", description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder with some thousands of photos")
    parser.add_argument("--model", default="resnet", help="an ONNX file, or the name of one (%(default)s)")
    parser.add_argument("--points", type=int, default=20_000, help="at most as many (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    everything = embeddings(given.photos, model_path(read_settings(model=given.model)), QUERIES + given.points)
    queries, points = everything[:QUERIES], everything[QUERIES:]
    rows = []
    for setting in SETTINGS:
        for row in measure(setting, points, queries):
            rows.append(row)
            if not given.json:
                sys.stdout.write("  ".join(f"{name} {value}" for name, value in row.items()) + "\n")
                sys.stdout.flush()
    if given.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
