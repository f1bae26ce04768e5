"""Where the time of ingest goes: `python -m tests.programs.stage_sums --files 1500`.

A real `lookalike up` with the model that ships is paused while photos are dropped (of half a megapixel, drawn as those
of `make bench`), and resumed. While there is a backlog, the seconds of each stage, as Prometheus is told them, are
compared with the ingest processes times the wall time; the seconds of the tasks, as the worker's log has them, tell
how much of what is missing lies within tasks and how much between them. Prints shares of processes x wall.

The clock runs from the first numbers that are written to the last ones: both ends are ends of batches.
"""

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

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
SIZE = "0.5 MP"
# How a worker logs that a task ended.
TASK = re.compile(r"Task lookalike\.sync\[[^]]+\] succeeded in ([\d.]+)s: (\d+) embedded")


@dataclass(frozen=True)
class Sums:
    """Seconds of each stage, and of files the number that was finished by then."""

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
            first, last = _measured(machine, photos, asked.files)
            _print(first, last, asked.processes, _in_tasks(machine.log("ingest"), last.files - first.files))
        finally:
            machine.clear()


def _measured(machine: Machine, photos: list[Path], files: int) -> tuple[Sums, Sums]:
    """The sums when the first batch after the pause was counted, and those of the last one while others waited."""
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
    return seen[0], seen[-1]


def _sums(redis: Redis, keys: Keys) -> Sums:
    measured = read_measured(redis, keys)
    stages = {stage: seen.sum for stage, seen in measured.histograms["stage_seconds"].items() if stage != "search"}
    return Sums(time.monotonic(), stages, sum(measured.counters["images"].values()))


def _in_tasks(log: str, files: int) -> float:
    """Seconds of the tasks for so many files, by the mean of all."""
    found = [(float(seconds), int(embedded)) for seconds, embedded in TASK.findall(log)]
    return sum(seconds for seconds, _ in found) / sum(embedded for _, embedded in found) * files


def _print(first: Sums, last: Sums, processes: int, in_tasks_s: float) -> None:
    wall_s, files = last.at_s - first.at_s, last.files - first.files
    whole_s = processes * wall_s
    stages = {stage: last.stages.get(stage, 0.0) - first.stages.get(stage, 0.0) for stage in get_args(Stage)}
    in_stages_s = sum(stages.values())
    rows = [
        *((stage, seconds) for stage, seconds in stages.items() if stage != "search"),
        ("all stages", in_stages_s),
        ("in tasks, in no stage", in_tasks_s - in_stages_s),
        ("between tasks", whole_s - in_tasks_s),
    ]
    sys.stdout.write(f"{files} files in {wall_s:.2f} s by {processes} processes\n")
    for name, seconds in rows:
        sys.stdout.write(f"{name:22} {seconds:8.2f} s {seconds / whole_s:6.3f}\n")


if __name__ == "__main__":
    main()
