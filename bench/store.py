"""How quick the store is before, while and after it builds its index: `python -m bench.store --points 100000 [--json]`.

Starts an edge server of its own on a folder of its own, writes points as the ingest workers do, and asks for the ten
nearest neighbours of vectors that are not in it, one search every 10 ms, through HTTP as the search worker does.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import numpy as np
import orjson
from numpy.typing import NDArray

from bench.store_process import Footprint, footprint, store_process

DIMENSION = 512
# As many independent directions as the embeddings of photos have, by the recall that the index reaches on them: vectors
# drawn evenly in 512 dimensions have no neighbourhoods at all, and no index could find any.
LATENT = 24
NEIGHBOURS = 10
BATCH = 256
SEARCHES = 300
EVERY_S = 0.01
# A worker's indexed fields, docs/decisions/0003-edge.md.
INDEXED = {"sha256": "keyword", "status": "keyword", "folders": "keyword", "size_bytes": "integer"}
_ENDS = re.compile(r"indexing ends .* took_s=(\S+) copy_s=(\S+) optimize_s=(\S+)")

Vectors = NDArray[np.float32]
Figures = dict[str, Any]


def vectors(count: int, seed: int, dimension: int = DIMENSION) -> Vectors:
    """Unit vectors without negative parts, as a ResNet's pooled features are: float32 [count, dimension]."""
    shape = np.random.default_rng(0)
    inner = shape.normal(size=(LATENT, 256)).astype(np.float32)
    outer = shape.normal(size=(256, dimension)).astype(np.float32)
    drawn = np.random.default_rng(seed).normal(size=(count, LATENT)).astype(np.float32)
    features = np.maximum(np.maximum(drawn @ inner, 0) @ outer, 0)
    unit: Vectors = features / np.linalg.norm(features, axis=1, keepdims=True)
    return unit


def measure(points: int, say: Callable[[str], None] = lambda _: None) -> Figures:
    """Latencies in ms, memory and disk in MiB, seconds of the build, recall of the index against exact search."""
    queries = vectors(SEARCHES, seed=2)
    with tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
        data = Path(folder) / "data"
        with store_process(data, hnsw_threshold=2 * points) as server:
            say(f"writing {points} points")
            filled_s = _fill(server.url, vectors(points, seed=1))
            # The shard is opened again, as after any start: what writing left in memory is not the point.
        with store_process(data, hnsw_threshold=2 * points) as server:
            say("searching without an index")
            search = _Searches(server.url, queries)
            before = search.some(SEARCHES)
            exact = [search.ids(number, exact=True) for number in range(SEARCHES)]
            rest = footprint(server.pid, data)
        with store_process(data, hnsw_threshold=points - 1) as server:
            say("building the index, searching meanwhile")
            search = _Searches(server.url, queries)
            during, peak = _until_indexed(search, server.pid, data, server.log)
            say("searching with the index")
            after = search.some(SEARCHES)
            found = [search.ids(number) for number in range(SEARCHES)]
            indexed = footprint(server.pid, data)
            ended = _ENDS.search(server.log.read_text())
        with store_process(data, hnsw_threshold=2 * points) as server:
            search = _Searches(server.url, queries)
            search.some(SEARCHES)
            again = footprint(server.pid, data)
    if ended is None:
        raise RuntimeError("the index was not built")
    hits = sum(len(near & far) for near, far in zip(found, exact, strict=True))
    return {
        "points": points,
        "dimension": DIMENSION,
        "write_points_per_s": round(points / filled_s),
        "search_ms": {"before": _spread(before), "during": _spread(during), "after": _spread(after)},
        "recall_at_10": round(hits / (NEIGHBOURS * SEARCHES), 4),
        "build_s": {"whole": float(ended[1]), "copy": float(ended[2]), "optimize": float(ended[3])},
        "footprint_mib": {
            "before": vars(rest), "peak": vars(peak), "after": vars(indexed), "opened_again": vars(again),
        },
    }  # fmt: skip


class _Searches:
    """Asks for neighbours, in a raw form that costs the client next to nothing."""

    def __init__(self, url: str, queries: Vectors) -> None:
        self._client = httpx.Client(base_url=url, timeout=60)
        self._bodies = [_query(query.tolist()) for query in queries]
        self._exact = [_query(query.tolist(), exact=True) for query in queries]
        self._next = 0

    def some(self, count: int) -> list[float]:
        """Milliseconds of so many searches, one every 10 ms."""
        return [self.one() for _ in range(count)]

    def one(self) -> float:
        """Milliseconds of the next search."""
        self._next = (self._next + 1) % len(self._bodies)
        began_s = time.perf_counter()
        self._ask(self._bodies[self._next])
        took_s = time.perf_counter() - began_s
        time.sleep(max(0.0, EVERY_S - took_s))
        return took_s * 1000

    def ids(self, number: int, *, exact: bool = False) -> set[str]:
        """The ten nearest points of a query."""
        found = self._ask((self._exact if exact else self._bodies)[number])["points"]
        return {point["id"] for point in found}

    def is_indexed(self) -> bool:
        """Whether the build is over."""
        info = orjson.loads(self._client.get("/collections/bench").content)["result"]
        return bool(info["status"] == "green" and info["indexed_vectors_count"] > 0)

    def _ask(self, body: bytes) -> Any:
        answer = self._client.post(
            "/collections/bench/points/query", content=body, headers={"content-type": "application/json"}
        )
        return orjson.loads(answer.raise_for_status().content)["result"]


def _query(vector: list[float], *, exact: bool = False) -> bytes:
    params = {"exact": True} if exact else None
    body = {"query": vector, "using": "image", "limit": NEIGHBOURS, "with_payload": True, "params": params}
    return orjson.dumps(body)


def _fill(url: str, embeddings: Vectors) -> float:
    """Seconds of writing all points."""
    with httpx.Client(base_url=url, timeout=60, headers={"content-type": "application/json"}) as client:
        settings = {"vectors": {"image": {"size": embeddings.shape[1], "distance": "Cosine"}}}
        client.put("/collections/bench", content=orjson.dumps(settings)).raise_for_status()
        for field, schema in INDEXED.items():
            body = orjson.dumps({"field_name": field, "field_schema": schema})
            client.put("/collections/bench/index", content=body).raise_for_status()
        began_s = time.perf_counter()
        for first in range(0, len(embeddings), BATCH):
            rows = embeddings[first : first + BATCH].tolist()
            body = orjson.dumps({"points": [_point(first + number, row) for number, row in enumerate(rows)]})
            client.put("/collections/bench/points?wait=true", content=body).raise_for_status()
        return time.perf_counter() - began_s


def _point(number: int, vector: list[float]) -> dict[str, Any]:
    folder = f"trip-{number % 300}"
    path = f"{folder}/photo-{number}.jpg"
    payload = {
        "path": path, "folders": [folder], "name": f"photo-{number}.jpg", "size_bytes": 1000 * number,
        "mtime_ns": 1_700_000_000_000_000_000 + number, "sha256": uuid5(NAMESPACE_URL, path).hex * 2, "format": "JPEG",
        "width_px": 4000, "height_px": 3000, "status": "indexed", "indexed_at": "2026-11-21T10:00:00Z",
    }  # fmt: skip
    return {"id": str(uuid5(NAMESPACE_URL, f"point {number}")), "vector": {"image": vector}, "payload": payload}


def _until_indexed(search: _Searches, pid: int, data: Path, log: Path) -> tuple[list[float], Footprint]:
    """Milliseconds of the searches from the begin of the build to its end, and the most that it took."""
    while "indexing begins" not in log.read_text():
        time.sleep(0.01)
    took, peak, looked_s = [], footprint(pid, data), time.perf_counter()
    while True:
        took.append(search.one())
        if time.perf_counter() - looked_s > 1:
            looked_s = time.perf_counter()
            peak = peak.most(footprint(pid, data))
            output = log.read_text()
            if "indexing ends" in output and search.is_indexed():
                return took, peak
            if "indexing failed" in output:
                raise RuntimeError(output)


def _spread(took_ms: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(took_ms, [50, 95, 99])
    return {
        "p50": round(float(p50), 2), "p95": round(float(p95), 2), "p99": round(float(p99), 2),
        "max": round(max(took_ms), 2), "searches": len(took_ms),
    }  # fmt: skip


def _table(figures: Figures) -> str:
    search, build, foot = figures["search_ms"], figures["build_s"], figures["footprint_mib"]
    lines = [f"{figures['points']} points of dimension {figures['dimension']}"]
    lines += [
        f"  search {when:7} "
        f"p50 {took['p50']:6.2f}  p95 {took['p95']:6.2f}  p99 {took['p99']:6.2f}  max {took['max']:7.2f} ms"
        for when, took in search.items()
    ]
    lines.append(f"  recall@10 {figures['recall_at_10']:.3f} of exact search")
    lines.append(f"  build {build['whole']:.1f} s, of which writes wait {build['copy']:.2f} s")
    lines += [
        f"  {when:12} memory {at['anonymous']:5} MiB and {at['file']:5} of files, disk {at['disk']:5} MiB"
        for when, at in foot.items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Prints a table for each number of points, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 20_000, 50_000, 100_000])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    results = []
    for points in given.points:
        results.append(measure(points, lambda sentence: print(f"... {sentence}", file=sys.stderr, flush=True)))
        if not given.json:
            print(_table(results[-1]), flush=True)
    if given.json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
