"""Where the time of ingest goes: `python -m tests.programs.stage_sums --files 1500`.

A real `lookalike up` with the model that ships is paused while photos are dropped (of half a megapixel, drawn as those
of `make bench`), and resumed. While there is a backlog, the seconds of each stage, as Prometheus is told them, are
compared with the ingest processes times the wall time; the seconds of the tasks, as the worker's log has them, tell
how much of what is missing lies within tasks and how much between them. Prints shares of processes x wall.
"""

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from redis import Redis

from bench.photos import drawn, write_many
from lookalike import Client
from lookalike.broker.app import redis_of
from lookalike.broker.measurements import Stage, read_measured
from lookalike.redis_keys import Keys
from tests.local.conftest import Machine
from tests.support.lean_system import lean_system
from tests.support.waiting import wait_until

LOOK_EVERY_S = 0.02
PATIENCE_S = 600.0
STAGES = [stage for stage in get_args(Stage) if stage != "search"]
SIZE = "0.5 MP"
# How a worker logs that a task ended.
TASK = re.compile(r"Task lookalike\.sync\[[^]]+\] succeeded in ([\d.]+)s: (\d+) embedded")


@dataclass(frozen=True)
class Sums:
    """At a time the seconds of each stage since the beginning, and how many files were finished."""

    at_s: float
    stages: dict[str, float]
    files: int


def main() -> None:
    """Runs it and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = drawn(folder / "drawn")[SIZE]
        machine = Machine(folder)
        try:
            machine.start(
                lean_system(machine.folder.root, machine.library), LOOKALIKE_INGEST_PROCESSES=str(asked.processes)
            )
            seen = _seen(machine, photos, asked.files)
            _print(seen, asked.processes, _task_s_per_file(machine.log("ingest")))
        finally:
            machine.clear()


def _seen(machine: Machine, photos: list[Path], files: int) -> list[Sums]:
    """The sums after each batch, while others wait in the queue."""
    with Client(data=machine.folder.root) as client, redis_of(client.settings) as redis:
        keys = client.settings.keys
        wait_until(lambda: client.status().is_done, PATIENCE_S)
        client.pause()
        wait_until(lambda: "paused until" in machine.log("ingest"), PATIENCE_S)
        write_many(photos, files, machine.library)
        wait_until(lambda: client.status().queued == files, PATIENCE_S)
        client.resume()
        seen: list[Sums] = []
        # The queue alone, which costs one request: what the processes hold may be their last.
        while redis.llen(keys.ingest) + redis.llen(keys.rescan) or not seen:
            now = _sums(redis, keys)
            if now.files and (not seen or now.files > seen[-1].files):
                seen.append(now)
            time.sleep(LOOK_EVERY_S)
    return seen


def _sums(redis: Redis, keys: Keys) -> Sums:
    measured = read_measured(redis, keys)
    stages = {stage: found.sum for stage, found in measured.histograms["stage_seconds"].items()}
    return Sums(time.monotonic(), stages, sum(measured.counters["images"].values()))


def _task_s_per_file(log: str) -> float:
    """Seconds of a task for each of its files, the mean of all."""
    found = [(float(seconds), int(embedded)) for seconds, embedded in TASK.findall(log)]
    return sum(seconds for seconds, _ in found) / sum(embedded for _, embedded in found)


def _print(seen: list[Sums], processes: int, task_s_per_file: float) -> None:
    at_s = [each.at_s for each in seen]

    def share(values: list[float]) -> float:
        """Of all processes: the slope of the line through the values, which needs no ends of batches to coincide."""
        return float(np.polyfit(at_s, values, 1)[0]) / processes

    stages = {stage: share([each.stages.get(stage, 0.0) for each in seen]) for stage in STAGES}
    in_stages, in_tasks = sum(stages.values()), share([each.files * task_s_per_file for each in seen])
    rows = [
        *stages.items(),
        ("all stages", in_stages),
        ("in tasks, in no stage", in_tasks - in_stages),
        ("between tasks", 1 - in_tasks),
    ]
    files, wall_s = seen[-1].files - seen[0].files, at_s[-1] - at_s[0]
    sys.stdout.write(f"{files} files in {wall_s:.2f} s by {processes} processes, {len(seen)} batches\n")
    for name, part in rows:
        sys.stdout.write(f"{name:22} {part:6.3f}\n")


if __name__ == "__main__":
    main()
