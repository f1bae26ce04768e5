"""How long a search takes: through the queue and without it, at rest and while thousands of images are indexed."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from qdrant_client.models import Batch, SearchParams

from bench.photos import write_many
from bench.results import Results
from bench.servers import NEIGHBOURS, SETTLES_S, System, system, wait_for
from bench.store import vectors
from lookalike.library.version import folder_version
from worker.index.payload import ImageMetadata, indexed_payload, point_id
from worker.index.qdrant import QdrantIndex
from worker.inference.decoder import decode_image, enable_formats
from worker.inference.embedder import Embedder

FILLED_AT_ONCE = 250
SEARCHES = 120
# LOOKALIKE_HNSW_THRESHOLD as it is: from there the store builds an index, while searches go on as before.
INDEXED_ABOVE = 20_000
INDEXED_WITHIN_S = 240.0
PAUSE_S = 0.1
# Of no point that is filled in.
RECALL_SEED = 2**32
DROPS = 10
# A file that was moved in rests for a fifth of LOOKALIKE_SETTLE_S (producer/debounce.py).
SETTLED_AFTER_MS = 100


def measure(
    photos: Sequence[Path],
    model: Path,
    *,
    points: Sequence[int],
    backlog: int,
    folder: Path,
    results: Results,
    tell: Callable[[str], None],
) -> None:
    """Adds latencies, ms, for each number of points in turn, and under a backlog at the second of them."""
    # Other photos than those of the backlog: of a query with hundreds of copies the index is asked for all of them,
    # because equal scores are in the order of their paths.
    half = (len(photos) + 1) // 2
    queries, others = [path.read_bytes() for path in photos[:half]], photos[half:] or photos
    with system(folder / "searched", model) as running:
        direct = _Direct(running, model)
        tell("from drop to searchable")
        waits = [_drop_one(running, blob, number) for number, blob in enumerate(_different(photos, folder))]
        results.add("drop to searchable beyond settling, p50 ms", float(np.median(waits)) - SETTLED_AFTER_MS)
        filled = 0
        for count in points:
            tell(f"searches among {count:,} points")
            _fill(running, direct.collection, filled, count)
            filled = count
            if count > INDEXED_ABOVE:
                wait_for(partial(_is_indexed, running, direct.collection, count), INDEXED_WITHIN_S)
                # The store removes what it built from, which searches notice for a moment (bench/README.md).
                time.sleep(SETTLES_S)
                results.add(f"recall@10 of the index, {count:,} points", _recall(running, direct.collection))
            queued, unqueued = _in_turn(running, direct, queries)
            results.quantiles(f"search through the queue, {count:,} points", queued)
            results.quantiles(f"search in process, {count:,} points", unqueued)
            if backlog and count == points[min(1, len(points) - 1)]:
                tell(f"the same while {backlog:,} images are indexed")
                under = _under_backlog(running, others, queries, backlog, folder)
                results.quantiles(f"search under backlog, {count:,} points", under)


class _Direct:
    """A search without queue: decode, embed, ask the same store, all in this process."""

    def __init__(self, running: System, model: Path) -> None:
        enable_formats()
        self._embedder = Embedder(model, inference_batch=1)
        self._embedder.warm_up()
        self.collection = running.collection()
        self._index = QdrantIndex(running.store, self.collection, vectors=[*self._embedder.dimensions])

    def search(self, blob: bytes) -> object:
        picture = decode_image(blob, self._embedder.card, max_pixels=10**9)
        return self._index.find_nearest(self._embedder.embed([picture.pixels])[0].tolist(), NEIGHBOURS)


def _recall(running: System, collection: str) -> float:
    """Share of the ten nearest that the index finds, of what an exact search finds, for vectors that are not in it."""
    dimension = running.store.get_collection(collection).config.params.vectors["image"].size  # type: ignore[index]
    hits = 0
    for query in vectors(SEARCHES, RECALL_SEED, dimension).tolist():
        near, far = (
            {
                point.id
                for point in running.store.query_points(collection, query, using="image", search_params=how).points
            }
            for how in (None, SearchParams(exact=True))
        )
        hits += len(near & far)
    return hits / (NEIGHBOURS * SEARCHES)


def _in_turn(running: System, direct: _Direct, queries: Sequence[bytes]) -> tuple[list[float], list[float]]:
    """Milliseconds through the queue and without it, in turns: what else the machine does meets both alike.

    The first ones are included: only the system itself warms up.
    """
    queued, unqueued = [], []
    for number in range(SEARCHES):
        blob = queries[number % len(queries)]
        queued.append(_ms(running.search, blob))
        unqueued.append(_ms(direct.search, blob))
    return queued, unqueued


def _ms(search: Callable[[bytes], object], blob: bytes) -> float:
    begun = time.perf_counter()
    search(blob)
    return (time.perf_counter() - begun) * 1000


def _under_backlog(
    running: System, photos: Sequence[Path], queries: Sequence[bytes], backlog: int, folder: Path
) -> list[float]:
    write_many(photos, backlog, folder / "backlog")
    before = running.indexed()
    (folder / "backlog").rename(running.library / "backlog")
    wait_for(lambda: running.indexed() > before, 60)
    took: list[float] = []
    while running.indexed() < before + backlog:
        took += [_ms(running.search, blob) for blob in queries]
        # A person pauses, and a loop without a pause would be a load of its own.
        time.sleep(PAUSE_S)
    return took


def _different(photos: Sequence[Path], folder: Path) -> list[Path]:
    return write_many(photos, DROPS, folder / "singles")


def _drop_one(running: System, source: Path, number: int) -> float:
    """Milliseconds from the moment a file is there until the store has its point."""
    name = f"single-{number}{source.suffix}"
    collection, point = running.collection(), point_id(name)
    begun = time.perf_counter()
    source.rename(running.library / name)
    while not running.store.retrieve(collection, [point], with_payload=False):
        time.sleep(0.002)
    return (time.perf_counter() - begun) * 1000


def _is_indexed(running: System, collection: str, points: int) -> bool:
    """Whether nothing is being built, and most points are in the index: the last few are searched one by one."""
    info = running.store.get_collection(collection)
    names = len(info.config.params.vectors)  # type: ignore[arg-type]
    return info.status == "green" and (info.indexed_vectors_count or 0) >= 0.8 * points * names


def _fill(running: System, collection: str, first: int, last: int) -> None:
    """Points with drawn vectors, as the workers write them. Their files do not exist, which only a rescan sees."""
    kept = running.store.get_collection(collection).config.params.vectors
    for begin in range(first, last, FILLED_AT_ONCE):
        paths = [f"filler/{number}.jpg" for number in range(begin, min(last, begin + FILLED_AT_ONCE))]
        facts = [ImageMetadata(f"{begin + row:064x}", "JPEG", 1152, 864, None) for row in range(len(paths))]
        batch = Batch(
            ids=[point_id(path) for path in paths],
            vectors={name: [*vectors(len(paths), begin, one.size).tolist()] for name, one in kept.items()},  # type: ignore[union-attr]
            payloads=[
                indexed_payload(path, folder_version(1, 1), fact, "2026-11-21T00:00:00+00:00", "bench")
                for path, fact in zip(paths, facts, strict=True)
            ],
        )
        running.store.upsert(collection, points=batch, wait=True)
