"""What moving an index costs: `python -m bench.moving [--points 100000] [--json]`.

Points with two vectors of 256 numbers each, as the model that ships has them, drawn as in bench.two_vectors. Each step
is the program that a command starts, with its seconds and its largest resident memory: export in each form, each of
these files into an empty store, and a migration to another store.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.store import vectors
from bench.store_process import store_process
from bench.two_vectors import DIMENSION, client_of, fill, spec
from lookalike.search.query import By
from worker.index.collection import ensure
from worker.index.qdrant import QdrantIndex

FORMS = ("npz", "parquet", "jsonl")
KEPT: tuple[By, ...] = ("embedding", "copy")


def measure(points: int, folder: Path) -> list[dict[str, Any]]:
    """A row for each step."""
    rows = []
    with store_process(folder / "source", hnsw_threshold=2 * points) as source:
        client = client_of(source.url)
        index = QdrantIndex(client, ensure(client, spec(KEPT)).name, vectors=KEPT)
        fill(index, {by: vectors(points, seed, DIMENSION) for seed, by in enumerate(KEPT, 1)})
        client.close()
        for form in FORMS:
            file = folder / f"out.{form}"
            row = run("export", str(file), url=source.url)
            rows.append({"step": f"export to .{form}", **row, "file_mib": file.stat().st_size // 2**20})
        with store_process(folder / "other", hnsw_threshold=2 * points) as other:
            rows.append({"step": "migrate", **run("migrate", other.url, url=source.url)})
    for form in FORMS:
        with store_process(folder / form, hnsw_threshold=2 * points) as empty:
            rows.append({"step": f"fill from .{form}", **run("restore", str(folder / f"out.{form}"), url=empty.url)})
    return rows


def run(*words: str, url: str) -> dict[str, Any]:
    """Seconds of the program, and the most MiB that it had in memory. Raises RuntimeError."""
    environment = {**os.environ, "QDRANT_URL": url, "LOOKALIKE_NAME": "bench"}
    began_s, memory_mib = time.monotonic(), 0
    with subprocess.Popen(
        [sys.executable, "-m", "worker.moving", *words], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            memory_mib = max(memory_mib, peak_mib(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return {"seconds": round(time.monotonic() - began_s, 1), "memory_mib": memory_mib}


def peak_mib(pid: int) -> int:
    """The most that a process had in memory so far (Linux); 0 if it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return 0 if found is None else int(found[1]) // 1024


def main() -> int:
    """Prints a line for each step, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.moving", description=__doc__)
    parser.add_argument("--points", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-moving-") as folder:
        rows = measure(given.points, Path(folder))
    if given.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{row}\n" for row in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
