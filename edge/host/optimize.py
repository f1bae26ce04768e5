"""`python -m edge.host.optimize PARENT_PID FROM TO VECTORS`: copies a shard's folder and builds the copy's index.

A process of its own, because the engine stands still until it is done, and nobody else shall. It says "copied" when the
original may change again, and ends with 0 when the copy is indexed and on the disk. VECTORS is JSON: name -> setting.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import orjson
import qdrant_edge as engine

from edge.catalogue import VectorSetting
from edge.child_process import die_with
from edge.disk import copy_file, sync_tree
from edge.host.shard import Vectors, config

# Behind everything that somebody waits for, ingest included (its workers have 5). At 19 it got so little beside them
# that 100,000 points were not done in 9 minutes (2 cores, a load of 13, 2026-11-21).
NICENESS = 10
# Index every vector there is: whether that is worth it was decided before.
LEAST_KIB = 1


def main() -> int:
    """Exit code 1 and one sentence on stderr if it cannot be done."""
    parent_pid, source, target, vectors = sys.argv[1:]
    # The engine would not let Python's handler run before it is done.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with(int(parent_pid))
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
    """All vectors end in one indexed segment, and beside it is an empty one for what is written from then on."""
    optimizers = engine.EdgeOptimizersConfig(indexing_threshold=LEAST_KIB)
    shard = engine.EdgeShard.load(str(folder), config(vectors, optimizers))
    shard.optimize()
    shard.close()


if __name__ == "__main__":
    sys.exit(main())
