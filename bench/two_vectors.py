"""What a second vector of each point costs the store: `python -m bench.two_vectors [--points 100000] [--json]`.

For points with the named vector `image` alone, and with `image` and `copy` (256 numbers each): writes them into an edge
server of its own as the workers do, builds the HNSW graph, opens it again, and searches by each vector. The vectors are
drawn as those of bench.store, so that they have neighbourhoods. Memory is the proportional set size (Linux).
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_client import QdrantClient

from bench.store import Vectors, vectors
from bench.store_process import footprint, store_process
from lookalike.library.version import folder_version
from lookalike.search.query import By
from lookalike.system.store_access import UNCOMPRESSED
from models.contract import ModelCard
from worker.connecting import CONNECTION_LIMITS
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.payload import ImageMetadata, indexed_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex

DIMENSION = 256
NEIGHBOURS = 10
SEARCHES = 300
# A batch of ingest by default (LOOKALIKE_BATCH_PATHS).
WRITTEN_AT_ONCE = 64
INDEXED_WITHIN_S = 600.0
SIDES: Mapping[str, Sequence[By]] = {"image": ("embedding",), "image and copy": ("embedding", "copy")}
_ENDS = re.compile(r"indexing ends .* optimize_s=(\S+)")


def measure(points: int, kept: Sequence[By]) -> dict[str, Any]:
    """Seconds of writing and of building, milliseconds of searches, MiB of memory and disk."""
    drawn: dict[By, Vectors] = {by: vectors(points, seed, DIMENSION) for seed, by in enumerate(kept, 1)}
    with tempfile.TemporaryDirectory(prefix="bench-two-") as folder:
        data = Path(folder) / "data"
        with store_process(data, hnsw_threshold=2 * points) as server:
            client = client_of(server.url)
            collection = ensure(client, spec(kept)).name
            written_s = fill(QdrantIndex(client, collection, vectors=kept), drawn)
            client.close()
        with store_process(data, hnsw_threshold=points - 1) as server:
            client = client_of(server.url)
            began_s = time.monotonic()
            while (ended := _ENDS.search(server.log.read_text())) is None:
                if time.monotonic() - began_s > INDEXED_WITHIN_S:
                    raise TimeoutError(server.log.read_text())
                time.sleep(0.1)
            client.close()
        with store_process(data, hnsw_threshold=2 * points) as server:
            client = client_of(server.url)
            index = QdrantIndex(client, collection, vectors=kept)
            opened = footprint(server.pid, data)
            p50_ms = {by: _search_ms(index, by) for by in kept}
            searched = footprint(server.pid, data)
            client.close()
    return {
        "written_s": round(written_s, 1),
        "points_per_s": round(points / written_s),
        "build_s": float(ended[1]),
        "opened_mib": {"own": opened.anonymous, "files": opened.file},
        "searched_mib": {"own": searched.anonymous, "files": searched.file},
        "disk_mib": searched.disk,
        "search_p50_ms": p50_ms,
    }


def client_of(url: str) -> QdrantClient:
    """A client with the connections of a worker."""
    return QdrantClient(url=url, check_compatibility=False, limits=CONNECTION_LIMITS, headers=UNCOMPRESSED, timeout=60)


def spec(kept: Sequence[By]) -> CollectionSpec:
    """The collection for these vectors."""
    card = ModelCard(
        "bench", 160, 160, "stretch", DIMENSION, "drawn", "none", "int8", "0" * 64,
        copy_dimension=DIMENSION if "copy" in kept else None,
    )  # fmt: skip
    return CollectionSpec("bench", card, "cosine", library_id="bench")


def fill(index: QdrantIndex, drawn: Mapping[By, Vectors]) -> float:
    """Seconds of all writes."""
    points, took_s = len(drawn["embedding"]), 0.0
    for first in range(0, points, WRITTEN_AT_ONCE):
        numbers = range(first, min(points, first + WRITTEN_AT_ONCE))
        writes = [PointWrite(_payload(at), {by: rows[at].tolist() for by, rows in drawn.items()}) for at in numbers]
        began_s = time.perf_counter()
        refused = index.write(writes)
        took_s += time.perf_counter() - began_s
        if refused:
            raise RuntimeError(str(refused[0][1]))
    return took_s


def _payload(number: int) -> dict[str, Any]:
    facts = ImageMetadata(f"{number:064x}", "JPEG", 4000, 3000, None)
    path = f"trip-{number % 300}/photo-{number}.jpg"
    return indexed_payload(path, folder_version(1, number), facts, "2026-11-21T00:00:00+00:00", "bench")


def _search_ms(index: QdrantIndex, by: By) -> float:
    """The median of searches by one vector; the first half only warms up."""
    took_ms = []
    for query in vectors(2 * SEARCHES, seed=9, dimension=DIMENSION).tolist():
        began_s = time.perf_counter()
        index.find_nearest(query, NEIGHBOURS, by=by)
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return round(float(np.median(took_ms[SEARCHES:])), 2)


def main() -> int:
    """Prints a line for each side as soon as it is measured, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.two_vectors", description=__doc__)
    parser.add_argument("--points", type=int, default=100_000, help="in each collection (%(default)s)")
    parser.add_argument("--side", choices=SIDES, help="one of the two alone")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    rows = {}
    for side, kept in SIDES.items():
        if given.side in {None, side}:
            rows[side] = measure(given.points, kept)
            if not given.json:
                sys.stdout.write(f"{given.points} points, {side}: {rows[side]}\n")
                sys.stdout.flush()
    if given.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
