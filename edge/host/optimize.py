"""`python -m edge.host.optimize PARENT_PID FROM TO VECTORS`: copies a shard's folder and builds the copy's index.

A process of its own, because the engine blocks its process meanwhile. It prints "copied" when the original may change
again, and ends with 0 when the copy is indexed and durable. VECTORS is JSON: name -> setting.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import orjson
import qdrant_edge as engine

from edge.catalogue import VectorSetting
from edge.child_process import die_with_parent
from edge.disk import copy_file, sync_tree
from edge.host.points import Vectors
from edge.host.shard import config

# Lower priority than everything that a user waits for, ingest included (its workers have 5). At 19 the build got so
# little CPU that 100,000 points were not done in 9 minutes (2 cores, a load of 13, 2026-11-21).
NICENESS = 10
# Indexes every vector: whether that is worth it was decided before.
LEAST_KIB = 1


def main() -> int:
    """Returns the exit code; on failure 1, with one sentence on stderr."""
    parent_pid, source, target, vectors = sys.argv[1:]
    # Python's handler could not run before the engine's call returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent(int(parent_pid))
    try:
        shutil.copytree(source, target, copy_function=copy_file)
        sys.stdout.write("copied\n")
        sys.stdout.flush()
        os.nice(NICENESS)
        optimize(Path(target), {name: VectorSetting(**setting) for name, setting in orjson.loads(vectors).items()})
        sync_tree(Path(target))
    except Exception as error:  # noqa: BLE001  (the engine's own is a bare one)
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def optimize(folder: Path, vectors: Vectors) -> None:
    """Puts all vectors into one indexed segment; the engine adds an empty one for later writes."""
    optimizers = engine.EdgeOptimizersConfig(indexing_threshold=LEAST_KIB)
    shard = engine.EdgeShard.load(str(folder), config(vectors, optimizers))
    shard.optimize()
    shard.close()


if __name__ == "__main__":
    sys.exit(main())
