"""100,000 small pictures with planted copy vectors, 20,000 groups of five, through the real store, broker and worker.

    python -m bench.planted [--groups 20000] [--each 5]

Writes the points as ingest does, runs a job, changes 100 of them, runs another; searches are timed idle and meanwhile.
Prints one JSON document. Their files do not exist, so no two of them can be the `same`.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from lookalike import Client
from lookalike.library.version import FileVersion
from lookalike.settings import Settings, read_settings
from tests.support.edge import edge_process
from tests.support.valkey import valkey_process
from tests.support.workers import WorkerProcess, worker_environment, worker_process
from worker.connecting import opener_of, qdrant_of
from worker.duplicates.small import small_jpeg
from worker.duplicates.task import Model
from worker.index.payload import ImageMetadata, indexed_payload
from worker.index.points import PointWrite
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import card_at, model_path
from worker.inference.providers import CPU

WRITTEN_AT_ONCE = 500
SEARCHES = 300
# Of a copy's vector, before it is made of norm 1: cosines of about .93 within a group, and below .35 otherwise.
SPREAD = 0.27


def writes(groups: Sequence[int], members: Sequence[int], generation: str, seed: int = 0) -> list[PointWrite]:
    """The points of these members of these groups, each drawn from its own numbers."""
    found = []
    for group in groups:
        draw = np.random.default_rng([seed, group])
        centre = unit(draw.normal(size=256))
        picture = Image.fromarray(draw.integers(0, 255, (9, 12, 3), np.uint8)).resize(
            (48, 36), Image.Resampling.BICUBIC
        )
        for member in members:
            drawn = np.random.default_rng([seed, group, member + 1])
            vector = unit(centre + SPREAD * unit(drawn.normal(size=256))).tolist()
            light = picture.point(lambda level, more=1 + 0.02 * member: min(255, round(level * more)))
            number = group * 1000 + member + seed * 10**9
            facts = ImageMetadata(f"{number:064x}", "JPEG", 48, 36, None, small_jpeg(light))
            version = FileVersion(f"v{number}", 1000 + member, 1)
            payload = indexed_payload(
                f"{group // 100}/{group}-{member}-{seed}.jpg", version, facts, "2026-11-30T00:00:00+00:00", generation
            )
            found.append(PointWrite(payload, {"embedding": vector, "copy": vector}))
    return found


def unit(vector: Any) -> Any:
    """Of norm 1."""
    return vector / np.linalg.norm(vector)


def timed(client: Client, path: str) -> float:
    """Milliseconds of a search."""
    begun = time.perf_counter()
    client.search(path).result()
    return (time.perf_counter() - begun) * 1000


def run_job(client: Client, worker: WorkerProcess, search: str) -> dict[str, Any]:
    """One job, with the searches and the memory meanwhile."""
    begun, took, most = time.perf_counter(), [], [0]
    job = client.duplicates()
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(1.0):
            most[0] = max([most[0], *(psutil.Process(pid).memory_info().rss for pid in worker.children())])

    watcher = threading.Thread(target=watch)
    watcher.start()
    while job.status().state in {"queued", "started"}:
        took.append(timed(client, search))
        time.sleep(0.3)
    is_done.set()
    watcher.join()
    reply = job.result()
    seconds = time.perf_counter() - begun
    first = time.perf_counter()
    job.page(0)
    first_ms = (time.perf_counter() - first) * 1000
    groups = list(job.groups())
    return {
        "seconds": round(seconds, 1),
        "compared": reply.compared,
        "groups": len(groups),
        "whole_groups": sum(len({path.split("-")[0] for path in group.paths}) == 1 for group in groups),
        "pairs": sum(reply.pairs.values()),
        "first_page_ms": round(first_ms, 1),
        "most_rss_mib": round(most[0] / 2**20),
        "search_p95_ms": round(float(np.quantile(took, 0.95)), 1) if took else None,
        "searches": len(took),
        "centres": sorted((group.centre, tuple(group.paths)) for group in groups),
    }


def filled(stack: ExitStack, groups: int, each: int) -> tuple[Settings, dict[str, str], QdrantIndex, str, float]:
    """A broker and a store with so many points, until the stack ends.

    Returns the settings, the environment of a worker, the index, its generation, and the seconds that it took.
    """
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "library").mkdir()
    redis_url = stack.enter_context(valkey_process(folder))
    edge = stack.enter_context(edge_process(folder / "store"))
    environment = worker_environment(
        REDIS_URL=redis_url, QDRANT_URL=edge.url, LOOKALIKE_LIBRARY=folder / "library",
        LOOKALIKE_LIBRARY_ID="planted",
        LOOKALIKE_DATA=folder, LOOKALIKE_SEARCH_LOCK=folder / "searching",
        OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1",
    )  # fmt: skip
    os.environ |= {name: environment[name] for name in ("LOOKALIKE_LIBRARY_ID",)}
    settings = read_settings(redis_url=redis_url, qdrant_url=edge.url, library=folder / "library")
    opened = opener_of(settings, Model(card_at(model_path(settings)), CPU)).open()
    index = QdrantIndex(qdrant_of(settings), opened.name, vectors=opened.identity.vectors)
    begun = time.perf_counter()
    per = max(1, WRITTEN_AT_ONCE // each)
    for first in range(0, groups, per):
        some = range(first, min(groups, first + per))
        index.write(writes(some, range(each), opened.identity.generation))
    took_s = round(time.perf_counter() - begun, 1)
    return settings, environment, index, opened.identity.generation, took_s


def main() -> int:
    """Runs the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.planted")
    parser.add_argument("--groups", type=int, default=20_000)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--anew", action="store_true", help="forget what was kept, and let two workers find it again")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        settings, environment, index, generation, fill_s = filled(stack, arguments.groups, arguments.each)
        folder = Path(environment["LOOKALIKE_DATA"])
        report: dict[str, Any] = {"images": arguments.groups * arguments.each, "fill_s": fill_s}
        sys.stderr.write(f"{report}\n")
        stack.enter_context(worker_process(folder / "s.log", environment, queues="lookalike:search", name="search"))
        with Client(settings) as client:
            asked = f"{0}/{0}-0-0.jpg"
            [timed(client, asked) for _ in range(10)]
            report["idle_search_p95_ms"] = round(
                float(np.quantile([timed(client, asked) for _ in range(SEARCHES)], 0.95)), 1
            )
            with worker_process(
                folder / "d.log", environment, queues="lookalike:duplicates", name="duplicates"
            ) as worker:
                report["first"] = run_job(client, worker, asked)
                del report["first"]["centres"]
                sys.stderr.write(f"{report}\n")
                index.write(writes(range(20), range(arguments.each), generation, seed=1))
                sys.stderr.write("changed\n")
                report["second"] = run_job(client, worker, asked)
                sys.stderr.write(f"{report['second']}"[:300] + "\n")
                kept = report["second"].pop("centres")
            if not arguments.anew:
                sys.stdout.write(json.dumps(report, indent=1) + "\n")
                return 0
            (folder / "duplicates.sqlite").unlink()
            with (
                worker_process(folder / "e.log", environment, queues="lookalike:duplicates", name="a") as one,
                worker_process(folder / "f.log", environment, queues="lookalike:duplicates", name="b"),
            ):
                report["anew_of_two_workers"] = run_job(client, one, asked)
                report["same_groups"] = kept == report["anew_of_two_workers"].pop("centres")
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
