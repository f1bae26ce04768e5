"""Makes each call to disk, store and broker fail in turn, and compares the index with the library after each.

One producer and one worker over a real broker, a real store and real files (world.py); a small library in which files
are new, changed, moved, deleted, broken, mended, copied and left out (scenario.py). Of each kind of call each n fails
with each error that it can meet, once and for a while (choosing.py); then the fault is over, and one more scan must
make the index equal to the library. Before that a real worker process takes messages from a broker that fails
(delivery.py).
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.programs.faults.choosing import all_faults, one_error_each
from tests.programs.faults.delivery import delivery, delivery_faults
from tests.programs.faults.injecting import Fault
from tests.programs.faults.world import world


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.faults", description="Fails each call in turn.")
    parser.add_argument("--one-error", type=int, metavar="N", help="each call with one error, beginning with the N-th")
    parser.add_argument("--kind", help="only kinds of calls that contain this, as in 'store: upsert'")
    parser.add_argument("--most", type=int, help="only so many, chosen by chance")
    parser.add_argument("--verbose", action="store_true", help="name each fault")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    screen = Console(stderr=True, highlight=False)
    tried, met, bad = Counter[str](), Counter[str](), dict[Fault, list[str]]()
    begun_s = time.monotonic()

    def note(fault: Fault, failed: bool, wrong: Sequence[str]) -> None:  # noqa: FBT001
        tried[fault.kind] += 1
        met[fault.kind] += failed
        if wrong:
            bad[fault] = list(wrong)
        if wrong or given.verbose:
            screen.print(f"{fault}: {'; '.join(wrong) or 'good'}", markup=False, soft_wrap=True)

    if given.kind is None and given.one_error is None:
        with tempfile.TemporaryDirectory(prefix="lookalike-faults-") as folder, delivery(Path(folder)) as running:
            for fault in track(delivery_faults(), "delivering", console=screen, disable=not screen.is_terminal):
                note(fault, *running.meet(fault))
    with tempfile.TemporaryDirectory(prefix="lookalike-faults-") as folder, world(Path(folder)) as whole:
        calls = whole.count()
        found = all_faults(calls) if given.one_error is None else one_error_each(calls, first=given.one_error)
        faults = [fault for fault in found if given.kind is None or given.kind in fault.kind]
        if given.most is not None:
            faults = random.Random(given.seed).sample(faults, min(given.most, len(faults)))
        for fault in track(faults, "failing", console=screen, disable=not screen.is_terminal):
            failed, wrong = whole.meet(fault)
            note(fault, bool(failed), wrong)
    _show(calls, tried, met, bad, time.monotonic() - begun_s)
    return 1 if bad else 0


def _show(
    calls: Counter[str], tried: Counter[str], met: Counter[str], bad: dict[Fault, list[str]], seconds: float
) -> None:
    table = Table("call", "made", "faults", "met", "wrong afterwards", box=None)
    wrong = Counter(fault.kind for fault in bad)
    for kind in sorted(tried):
        table.add_row(kind, str(calls[kind] or ""), str(tried[kind]), str(met[kind]), str(wrong[kind]))
    table.add_row("all", "", str(tried.total()), str(met.total()), str(wrong.total()))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
