"""When a system that was just started answers: `python -m bench.first_answer [--photos 20000] [--after 10]`.

A real `lookalike up` with the model that ships, on a library of small drawn JPEGs that it has never seen. So many
seconds after the command a search is submitted, for a drawing of its own, and its answer is waited for.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from lookalike import Client, LookalikeError
from tests.support.pictures import encoded, picture

FOLDERS = 200
SIDE_PX = 64
ANSWER_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0


def measure(photos: int, after_s: float, folder: Path) -> dict[str, float]:
    """Seconds from the command on, and what was indexed when the answer came."""
    library = folder / "photos"
    for seed in range(photos):
        file = library / f"{seed % FOLDERS}" / f"{seed}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_drawn(seed))
    code = "from lookalike.cli import main; main()"
    command = [sys.executable, "-c", code, "up", str(library), "--data", str(folder / "data")]
    begun_s = time.monotonic()
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        time.sleep(after_s)
        with Client(data=folder / "data") as client:
            asked_s = time.monotonic() - begun_s
            found = client.search(_drawn(photos), limit=10).result(timeout_s=ANSWER_WITHIN_S)
            answered_s = time.monotonic() - begun_s
            status = client.status()
        return {
            "asked_s": round(asked_s, 2),
            "answered_s": round(answered_s, 2),
            "neighbours": len(found),
            "indexed_then": status.indexed or 0,
            "discovered_then": status.discovered,
        }
    finally:
        with suppress(OSError):
            sys.stderr.write((folder / "up.log").read_text()[-2000:])
        up.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            up.wait(STOPS_WITHIN_S)


def _drawn(seed: int) -> bytes:
    return encoded(picture(seed, (SIDE_PX, SIDE_PX)), "JPEG", quality=88)


def main() -> int:
    """Prints one JSON document; exit code 1 without an answer."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_answer", description=__doc__)
    parser.add_argument("--photos", type=int, default=20_000, help="(%(default)s)")
    parser.add_argument("--after", type=float, default=10.0, help="seconds (%(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-first-") as folder:
        try:
            found = measure(given.photos, given.after, Path(folder))
        except LookalikeError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    sys.stdout.write(json.dumps({**found, "cores": os.cpu_count() or 0, "load": os.getloadavg()[0]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
