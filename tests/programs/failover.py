"""A fail-over of the broker while images go through: `python -m tests.programs.failover --seconds 60`.

A real `lookalike up` whose broker is behind three sentinels, and a writer as in `make chaos`. Half-way the replica
hears nothing for a few seconds, then the server in charge is killed while a folder of many images goes through, and
what was sent meanwhile is lost with it. Afterwards index and library are compared. Exit code 1 if anything is lost,
left over or wrong.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from lookalike import Client
from tests.local.conftest import Machine
from tests.programs.chaos.driving import agreement, is_at_rest
from tests.programs.chaos.judging import Verdict, judge
from tests.programs.chaos.writing import Writer
from tests.support.sentinels import Watched, watched_broker
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

DEAF_S = 3.0
FILES_PER_S = 20.0
BURST_FILES = 1500
TURN_S = 0.02
UP_WITHIN_S = 60.0

CONSOLE = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Runs it and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long is written")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        machine = Machine(Path(name))
        (servers := Path(name) / "servers").mkdir()
        try:
            with watched_broker(servers) as broker:
                verdict, agreed_s = _run(machine, broker, asked.seconds, asked.seed)
        finally:
            machine.clear()
    CONSOLE.print(f"indexed {verdict.indexed}, rejected {verdict.rejected}, agreed after {agreed_s} s")
    CONSOLE.print(f"lost {len(verdict.lost)}, ghosts {len(verdict.ghosts)}, wrong {len(verdict.wrong)}")
    CONSOLE.print(*verdict.lost[:10], *verdict.ghosts[:10], *verdict.wrong[:10], sep="\n", markup=False)
    return 0 if agreed_s is not None and not (verdict.lost or verdict.ghosts or verdict.wrong) else 1


def _run(machine: Machine, broker: Watched, seconds: float, seed: int) -> tuple[Verdict, float | None]:
    model = tiny_model(machine.tmp_path / "tiny.onnx")
    up = [sys.executable, "-c", "from lookalike.cli import main; main()", "up", str(machine.library)]
    where = ["--data", str(machine.folder.root), "--model", str(model)]
    running = machine.start([*up, *where], REDIS_URL=broker.url, LOOKALIKE_INGEST_PROCESSES="2")
    with Client(data=machine.folder.root) as client:
        wait_until(lambda: is_at_rest(client), UP_WITHIN_S)
        writer = Writer(machine.library, machine.tmp_path / "outside", random.Random(seed), BURST_FILES)
        _write(writer, seconds / 2 - DEAF_S)
        broker.freeze_replica()
        before = writer.files_written
        _write(writer, DEAF_S)
        writer.burst()
        waiting = client.status().queued
        CONSOLE.print(
            f"killed with {waiting} paths waiting, {writer.files_written - before} files that the replica missed"
        )
        broker.fail_over()
        _write(writer, seconds / 2)
        writer.finish()
        agreed_s = agreement(client, machine.library, CONSOLE.print)
        store = store_of(running)
        verdict = judge(machine.library, store, running.name, model)
        store.close()
        return verdict, agreed_s


def _write(writer: Writer, seconds: float) -> None:
    begun_s, before = time.monotonic(), writer.files_written - writer.files_in_bursts
    while (now_s := time.monotonic() - begun_s) < seconds:
        if writer.files_written - writer.files_in_bursts - before < FILES_PER_S * now_s:
            writer.step()
        else:
            time.sleep(TURN_S)
        writer.go_on()


if __name__ == "__main__":
    sys.exit(main())
