"""An index that is carried to an empty data folder: `python -m tests.programs.chaos.carried --files 100000`."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.local.conftest import Machine
from tests.programs.chaos.many import System, fill

DEEP = 200


class Carrying:
    """Runs commands on the data folder of a system, each with its seconds."""

    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What the command answered in JSON. Raises RuntimeError for another exit code."""
        machine = self._system.machine
        program = [sys.executable, "-c", "from lookalike.cli import main; main()", *words, "--json"]
        begun_s = time.monotonic()
        done = subprocess.run(
            [*program, "--data", str(machine.folder.root)],
            env=machine.environment(LOOKALIKE_MODEL=str(machine.tmp_path / "tiny.onnx")),
            capture_output=True,
            text=True,
            check=False,
        )
        self._console.print(f"{words[0]}: {time.monotonic() - begun_s:.1f} s, {done.stdout.strip() or done.stderr}")
        if done.returncode != code:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}")
        return dict(json.loads(done.stdout))


def main() -> int:
    """Exit code: 1 if the carried index embedded anything, or is not equal to the library."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.chaos.carried", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--form", choices=("npz", "parquet", "jsonl"), default="npz")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="lookalike-carried-"))
    console = Console(highlight=False, soft_wrap=True)
    system = System(folder, given.files)
    fill(system.machine.library, given.files)
    file = str(folder / f"out.{given.form}")
    try:
        system.start()
        status = system.wait(given.files)
        console.print(f"{status.indexed} files, {status.embedded_total} embedded")
        Carrying(system, console).told("export", file)
        system.machine.clear()
        system.machine = Machine(folder, "carried")
        carried = Carrying(system, console)
        carried.told("import", file, "--library", str(system.machine.library))
        begun_s = time.monotonic()
        system.start()
        embedded = system.wait(given.files).embedded_total
        console.print(f"up and at rest after {time.monotonic() - begun_s:.1f} s, {embedded} embedded")
        carried.told("verify")
        carried.told("verify", "--deep", str(DEEP))
    finally:
        system.machine.clear()
    shutil.rmtree(folder)
    return int(embedded != 0)


if __name__ == "__main__":
    sys.exit(main())
