"""`python -m bench [--quick] [--photos DIR] [--json FILE] [--plot FILE]`: measures, and prints one table.

Everything is measured in one run on the same photos, one thing at a time. Exit code 1 if it cannot be measured; a
ratio that is missed is named in the table, because a busy machine is no fault.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench import rates, searching
from bench.networks import networks
from bench.photos import drawn, found
from bench.plot import plot
from bench.results import Results

# Photos and models that are drawn and made once.
KEPT = Path(sys.prefix) / "bench"
BUSY_LOAD = 0.5


def main() -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures lookalike against other ways.")
    parser.add_argument("--quick", action="store_true", help="one size, fewer images: less than a minute")
    parser.add_argument("--photos", type=Path, help="measure with these photos in place of drawn ones")
    parser.add_argument("--only", choices=("rates", "searches"), help="half of it")
    parser.add_argument("--json", type=Path, help="write the table there as JSON, too")
    parser.add_argument("--plot", type=Path, help="write the plot there, SVG")
    given = parser.parse_args()
    # As for Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console, begun = Console(highlight=False), time.monotonic()
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        console.print(f"The machine is busy (load {load:.1f}): rates and ratios will be off.", style="yellow")

    def tell(doing: str) -> None:
        console.print(f"{time.monotonic() - begun:4.0f} s  {doing}", style="dim")

    tell("photos and models")
    photos = drawn(KEPT / "photos") if given.photos is None else found(given.photos)
    one_size = photos["1 MP"] if given.photos is None else photos["PHOTOS"]
    models = networks(KEPT / "models", one_size[:6])
    counts = rates.QUICK if given.quick else rates.FULL
    if given.photos is not None:
        counts = {"PHOTOS": counts["1 MP"]}
    results = Results()
    # On the same disk as what is kept, so that renames stay what they are.
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=KEPT))
    try:
        if given.only != "searches":
            rates.measure(photos, counts, models, folder=folder, results=results, tell=tell)
        if given.only != "rates":
            points, backlog = ((1_000,), 400) if given.quick else ((1_000, 10_000, 100_000), 1_500)
            searching.measure(
                one_size, models.shipped, points=points, backlog=backlog, folder=folder, results=results, tell=tell
            )
    finally:
        shutil.rmtree(folder)
    console.print(results.table())
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at start, Python {platform.python_version()}"
    )
    console.print(f"{machine}; {time.monotonic() - begun:.0f} s", style="dim")
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine, **results.json()}, indent=1) + "\n", "utf-8")
    if given.plot is not None:
        plot(results.figures, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
