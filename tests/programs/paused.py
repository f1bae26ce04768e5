"""What a paused system uses: `python -m tests.programs.paused --files 500 --seconds 20`.

A real `lookalike up` with the model that ships indexes a few files and is paused; then many are dropped, so that there
is a backlog. CPU seconds of all processes of each part, from /proc, over so many seconds: while it is paused, again
after `down` and `up`, and while it works after `resume`.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from lookalike import Client, LookalikeError
from tests.local.conftest import Machine
from tests.support.pictures import draw
from tests.support.waiting import wait_until

PARTS = ("ingest", "search", "producer", "store", "broker", "flower", "web")
FEW = 5


def main() -> None:
    """Runs it and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        try:
            _measure(machine, asked.files, asked.seconds)
        finally:
            machine.clear()


def _measure(machine: Machine, files: int, seconds: float) -> None:
    for seed in range(FEW):
        draw(machine.library / f"{seed}.png", seed)
    client = _up(machine)
    wait_until(lambda: _status(client, "indexed") == FEW, 120)
    client.pause()
    wait_until(lambda: "paused until" in machine.log("ingest"))
    for seed in range(FEW, files):
        draw(machine.library / f"{seed}.png", seed)
    wait_until(lambda: _status(client, "queued") == files - FEW, 120)
    _print("paused", _used(machine, seconds), client)
    machine.send(signal.SIGTERM)
    machine.ended(30)
    client = _up(machine)
    wait_until(lambda: (_status(client, "queued") or 0) >= files - FEW, 120)
    _print("paused, after down and up", _used(machine, seconds), client)
    client.resume()
    begun = time.monotonic()
    before = _seconds(machine)
    wait_until(lambda: _status(client, "indexed") == files, 600)
    _print(f"resumed, {time.monotonic() - begun:.0f} s", _seconds(machine) - before, client)


def _up(machine: Machine) -> Client:
    code = "from lookalike.cli import main; main()"
    machine.start([sys.executable, "-c", code, "up", str(machine.library), "--data", str(machine.folder.root)])
    return Client(data=machine.folder.root)


def _status(client: Client, field: str) -> int | None:
    with suppress(LookalikeError):
        found: int | None = getattr(client.status(), field)
        return found
    return None


def _used(machine: Machine, seconds: float) -> Counter[str]:
    # What starting and dropping left to do is done by then.
    time.sleep(5)
    before = _seconds(machine)
    time.sleep(seconds)
    used = _seconds(machine)
    used.subtract(before)
    return used


def _seconds(machine: Machine) -> Counter[str]:
    """CPU seconds of the living processes of each part."""
    ids = {pid: _part(command) for pid, command in machine.processes().items()}
    found = Counter(dict.fromkeys(PARTS, 0.0))
    for pid, part in ids.items():
        with suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            found[part] += times.user + times.system  # type: ignore[assignment]
    return found


def _part(command: list[str]) -> str:
    line = " ".join(command)
    marks = {"ingest@": "ingest", "search@": "search", "producer": "producer", "flower": "flower", "valkey": "broker"}
    marks["-m web"] = "web"
    return next((part for mark, part in marks.items() if mark in line), "store" if "edge" in line else "others")


def _print(what: str, used: Counter[str], client: Client) -> None:
    cells = " | ".join(f"{used[part]:.2f}" for part in PARTS)
    status = client.status()
    sys.stdout.write(f"| {what} | {cells} | {status.indexed} | {status.queued} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.stdout.write(f"| {os.cpu_count()} cores | {' | '.join(PARTS)} | indexed | queued |\n")
    main()
