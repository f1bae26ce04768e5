"""Attacks a running gallery on loopback, without a secret: what is sent must be refused, and nothing be written.

    python -m tests.programs.attack http://127.0.0.1:8808 LIBRARY [--fuzz 400] [--seed 1] [--files DIR]

The library must be one that nobody needs. A line for each way, with the answers and how often they came; the exit code
is 1 if one of them is another than a refusal, if a file was written, or if the gallery is not ready in the end. Each of
the files in DIR is sent as well, and changed at random like the pictures that are drawn here.
"""

import argparse
import random
import sys
from collections import Counter
from http import HTTPStatus
from pathlib import Path

from tests.programs.attack.fuzzing import FORMATS, fuzz, sent
from tests.programs.attack.target import Status, Target, image, is_refused
from tests.programs.attack.ways import WAYS


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("library", type=Path)
    parser.add_argument("--fuzz", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=Path)
    given = parser.parse_args()
    target, failed = Target(given.url, given.library), False
    for way in WAYS:
        before = target.files()
        statuses = list(way(target))
        written = target.files() - before
        wrong = [status for status in statuses if not is_refused(status)]
        failed |= bool(wrong or written)
        say(
            way.__name__,
            statuses,
            f"{len(wrong)} not refused, {len(written)} written, slowest {target.slowest_s:.2f} s",
        )
        target.slowest_s = 0.0
    files = [path.read_bytes() for path in sorted(given.files.rglob("*")) if path.is_file()] if given.files else []
    seeds = [image(name) for name in FORMATS] + files
    statuses = [*sent(target, files), *fuzz(target, given.fuzz, random.Random(given.seed), seeds)]
    failed |= any(isinstance(status, int) and status >= HTTPStatus.INTERNAL_SERVER_ERROR for status in statuses)
    ready = target.http.get("/readyz").status_code
    say("fuzz", statuses, f"slowest {target.slowest_s:.2f} s, then /readyz: {ready}")
    return int(failed or ready != HTTPStatus.OK)


def say(way: str, statuses: list[Status], result: str) -> None:
    """A line of the report."""
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(Counter(map(str, statuses)).items()))
    sys.stdout.write(f"{way:9} {len(statuses):4}  {counts}; {result}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
