"""Many small files, each part's memory, a restart's cost: `python -m tests.programs.chaos.many --files 100000`.

`--csv FILE` keeps a row of all that every ten seconds; docs/pictures/draw_million.py draws it.
"""

import argparse
import csv
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from lookalike import Client, LookalikeError
from lookalike.client.status import Status
from tests.local.conftest import Machine
from tests.programs.chaos.killing import WORDS
from tests.support.command_lines import carries
from tests.support.pictures import encoded, picture
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

DONE_WITHIN_S = 3600.0
FOLDER_FILES = 1000
SIDE_PX = (16, 16)
# Memory is looked at whenever this share of the files is done.
SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
HOST = "edge.host"
# What builds the index is most of it while it runs.
REST = "index builder, others"
PARTS = (*WORDS, REST)
SAMPLED_EVERY_S = 10.0
FILES_A_SECOND = 200_000


class System:
    """`up` on a library of so many files, started and stopped."""

    def __init__(self, folder: Path, files: int) -> None:
        self.machine = Machine(folder)
        self._files = files
        self._model = tiny_model(folder / "tiny.onnx")
        self.samples: list[dict[str, int]] = []
        self._begun_s = time.monotonic()
        self._sampled_s = -SAMPLED_EVERY_S

    def start(self) -> None:
        program = [sys.executable, "-c", "from lookalike.cli import main; main()", "up", str(self.machine.library)]
        where = ["--data", str(self.machine.folder.root), "--model", str(self._model)]
        self.machine.start([*program, *where], LOOKALIKE_INGEST_PROCESSES="2")
        self.client = Client(data=self.machine.folder.root)

    def status(self) -> Status | None:
        with suppress(LookalikeError):
            return self.client.status()
        return None

    def wait(self, files: int) -> Status:
        """The status when so many are indexed; at rest if these are all."""
        seen: list[Status | None] = []

        def has_so_many() -> bool:
            seen[:] = [self.status()]
            # Asking has the index counted, which takes longer the more there is.
            time.sleep(max(0.5, self._files / FILES_A_SECOND))
            status = seen[0]
            self._sample(status)
            return status is not None and (status.indexed or 0) >= files and (status.is_done or files < self._files)

        wait_until(has_so_many, DONE_WITHIN_S)
        assert seen[0] is not None
        return seen[0]

    def memory_mib(self) -> dict[str, int]:
        """Proportional memory (PSS) of each part with its children; files that the store has mapped count."""
        found: dict[str, int] = defaultdict(int)
        words = {word: part for part, word in WORDS.items()} | {HOST: "store"}
        for pid, command in self.machine.processes().items():
            part = next((part for word, part in words.items() if carries(command, word)), REST)
            with suppress(psutil.Error):
                found[part] += psutil.Process(pid).memory_full_info().pss // 2**20
        return found

    def _sample(self, status: Status | None) -> None:
        now_s = time.monotonic()
        if status is None or now_s - self._sampled_s < SAMPLED_EVERY_S:
            return
        self._sampled_s = now_s
        memory = self.memory_mib()
        self.samples.append(
            {"seconds": round(now_s - self._begun_s), "indexed": status.indexed or 0, "queued": status.queued or 0}
            | {part: memory[part] for part in PARTS}
        )


def main() -> int:
    """Exit code: 1 if a restart embedded anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.chaos.many", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    files: int = given.files
    folder = Path(tempfile.mkdtemp(prefix="lookalike-many-"))
    console = Console(highlight=False)
    system = System(folder, files)
    fill(system.machine.library, files)
    table = Table("files", "seconds", *PARTS, box=None, title="proportional MiB of each part")
    try:
        begun_s = time.monotonic()
        system.start()
        for share in SHARES:
            status = system.wait(int(share * files))
            memory = system.memory_mib()
            table.add_row(
                str(status.indexed), f"{time.monotonic() - begun_s:.0f}", *(str(memory[part]) for part in PARTS)
            )
            console.print(f"{status.indexed} files after {time.monotonic() - begun_s:.0f} s", style="dim")
        embedded = status.embedded_total
        system.machine.clear()
        begun_s = time.monotonic()
        system.start()
        started_s = time.monotonic() - begun_s
        again = system.wait(files).embedded_total - embedded
        console.print(table)
        console.print(
            f"embedded {embedded}; a restart embedded {again}: up after {started_s:.0f} s, "
            f"at rest after {time.monotonic() - begun_s:.0f} s"
        )
    finally:
        system.machine.clear()
        if given.csv is not None and system.samples:
            with given.csv.open("w", newline="", encoding="utf-8") as file:
                rows = csv.DictWriter(file, system.samples[0])
                rows.writeheader()
                rows.writerows(system.samples)
    shutil.rmtree(folder)
    return int(again != 0)


def fill(library: Path, files: int) -> None:
    """Draws so many small images, a thousand in a folder."""
    chance = random.Random(1)
    for number in range(files):
        inside = library / f"folder {number // FOLDER_FILES}"
        inside.mkdir(exist_ok=True)
        kind = chance.choice(("PNG", "JPEG", "BMP"))
        (inside / f"{number}.{kind.lower()}").write_bytes(encoded(picture(number, SIDE_PX), kind))


if __name__ == "__main__":
    sys.exit(main())
