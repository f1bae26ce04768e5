"""The long run, exit code 1 if it found anything: `python -m tests.programs.chaos --seconds 600 --seed 1 --json F`."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.programs.chaos.driving import Plan, Report, run

FILES_PER_S = 20
KILL_EVERY_S = 15
AGREES_WITHIN_S = 60.0


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.programs.chaos", description="Writes, kills, waits and compares."
    )
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, help=f"to be written; {FILES_PER_S} a second if not given")
    parser.add_argument("--kills", type=int, help=f"one every {KILL_EVERY_S} s if not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    given = parser.parse_args()
    files = int(FILES_PER_S * given.seconds) if given.files is None else given.files
    kills = max(1, int(given.seconds / KILL_EVERY_S)) if given.kills is None else given.kills
    folder = Path(tempfile.mkdtemp(prefix="lookalike-chaos-"))
    screen = Console(stderr=True, highlight=False)
    screen.print(f"in {folder}")
    plan = Plan(given.seconds, given.seed, files, kills, burst_files=min(1000, files // 10))
    report = run(plan, folder, screen.print)
    _show(report)
    if given.json is not None:
        given.json.write_text(json.dumps(report.json(), indent=1) + "\n", "utf-8")
    if not report.is_good or (report.seconds_to_agree or 0) > AGREES_WITHIN_S:
        screen.print(f"library, data and logs stay in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _show(report: Report) -> None:
    table = Table(box=None, show_header=False)
    killed = ", ".join(f"{name} {count}" for name, count in report.kills.items())
    agreed = "never" if report.seconds_to_agree is None else f"{report.seconds_to_agree} s"
    for name, value in (
        ("seed", report.seed),
        ("seconds", f"{report.seconds:g}"),
        ("files written", report.files_written),
        ("kills", f"{sum(report.kills.values())}: {killed}"),
        ("indexed, rejected", f"{report.indexed}, {report.rejected}"),
        ("lost", report.lost),
        ("ghosts", report.ghosts),
        ("wrong", report.wrong),
        ("embedded more than once", f"{report.embedded_more_than_once} of {report.embedded}"),
        ("seconds to agree", agreed),
    ):
        table.add_row(name, str(value))
    console = Console(highlight=False)
    console.print(table)
    for example in report.examples:
        console.print(repr(example), markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
