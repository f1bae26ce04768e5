"""What a system uses while nothing happens: `python -m bench.idle [--photos 10000] [--minutes 10] [--json]`.

By default ingest keeps its model for the first ten minutes; `--ingest-idle 30` measures what is left without it.

A real `lookalike up` with the model that ships indexes so many small drawn photos and is left alone until its last scan
is over. Then, over so many minutes: processor and context switches of all threads of each part, and its proportional
memory (PSS) at the end, from /proc (Linux).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from lookalike import Client, LookalikeError
from lookalike.settings import variable_of
from tests.support.pictures import draw
from tests.support.waiting import wait_until

STARTED_WITHIN_S = 60.0
INDEXED_WITHIN_S = 3600.0
# The producer's and the workers' own timers of the start are over by then.
CALM_S = 60.0
MARKS = {
    "ingest@": "ingest",
    "search@": "search",
    "duplicates@": "duplicates",
    "producer": "producer",
    "flower": "flower",
    "valkey": "broker",
    "edge": "store",
    "web": "gallery",
    "supervisor": "supervisor",
    "lookalike": "up",
}


@dataclass(frozen=True)
class Use:
    """Of one part: share of a core, switches a second, MiB."""

    part: str
    processes: int
    core_share: float
    switches_per_s: float
    pss_mib: float


def measure(photos: int, minutes: float, folder: Path, ingest_idle_s: float | None = None) -> list[Use]:
    """A row for each part, and their sum; with LOOKALIKE_INGEST_IDLE_S if it is given."""
    idle = {} if ingest_idle_s is None else {variable_of("ingest_idle_s"): str(ingest_idle_s)}
    library = folder / "photos"
    library.mkdir()
    for seed in range(photos):
        draw(library / f"{seed % 100}" / f"{seed}.png", seed)
    code = "from lookalike.cli import main; main()"
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-c", code, "up", str(library), "--data", str(folder / "data")],
            env={**os.environ, **idle},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until((folder / "data" / "running.json").exists, STARTED_WITHIN_S)
        with Client(data=folder / "data") as client:
            wait_until(lambda: _is_done(client, photos), INDEXED_WITHIN_S, every_s=1.0)
        time.sleep(CALM_S)
        before, began_s = _used(up.pid), time.monotonic()
        time.sleep(minutes * 60)
        after, took_s = _used(up.pid), time.monotonic() - began_s
        return _table(before, after, took_s)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(30)


def _table(
    before: dict[int, tuple[str, float, int]], after: dict[int, tuple[str, float, int]], took_s: float
) -> list[Use]:
    cpu, switches, memory, processes = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for pid, (part, cpu_s, switched) in after.items():
        _, cpu_before, switched_before = before.get(pid, (part, 0.0, 0))
        cpu[part] += cpu_s - cpu_before  # type: ignore[assignment]
        switches[part] += switched - switched_before
        processes[part] += 1
        with suppress(psutil.Error):
            memory[part] += psutil.Process(pid).memory_full_info().pss
    parts = sorted(processes)
    rows = [
        Use(part, processes[part], cpu[part] / took_s, switches[part] / took_s, memory[part] / 2**20) for part in parts
    ]
    total = Use(
        "all",
        sum(row.processes for row in rows),
        sum(row.core_share for row in rows),
        sum(row.switches_per_s for row in rows),
        sum(row.pss_mib for row in rows),
    )
    return [*rows, total]


def _used(root: int) -> dict[int, tuple[str, float, int]]:
    """Part, CPU seconds, and switches over all threads, of each living process."""
    found = {}
    top = psutil.Process(root)
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.Error, OSError):
            found[process.pid] = (_part(process.cmdline()), _cpu_s(process.pid), _switches(process.pid))
    return found


def _cpu_s(pid: int) -> float:
    """Nanoseconds on a core, from Documentation/scheduler/sched-stats: /proc/PID/stat counts whole ticks.

    Whoever is woken by a timer runs at a tick, and would be charged for all of it.
    """
    return (
        sum(int((thread / "schedstat").read_text().split()[0]) for thread in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    )


def _switches(pid: int) -> int:
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            lines = (thread / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return total


def _part(command: list[str]) -> str:
    line = " ".join(command)
    return next((part for mark, part in MARKS.items() if mark in line), "others")


def _is_done(client: Client, photos: int) -> bool:
    with suppress(LookalikeError):
        status = client.status()
        return status.is_done and status.indexed == photos
    return False


def main() -> int:
    """Prints a table, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--photos", type=int, default=10_000, help="(%(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="(%(default)s)")
    parser.add_argument("--ingest-idle", type=float, metavar="S", help="LOOKALIKE_INGEST_IDLE_S; below a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as folder:
        rows = measure(given.photos, given.minutes, Path(folder), given.ingest_idle)
    if given.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        return 0
    sys.stdout.write(
        f"| {os.cpu_count()} cores | processes | of a core | switches/s | PSS, MiB |\n|---|---|---|---|---|\n"
    )
    for row in rows:
        cells = f"{row.processes} | {row.core_share:.2%} | {row.switches_per_s:.1f} | {row.pss_mib:.0f}"
        sys.stdout.write(f"| {row.part} | {cells} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
