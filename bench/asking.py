"""What the ways to ask cost beside a plain search: `python -m bench.asking --photos DIR`. Prints one line for each.

Starts a system of its own on copies of the photos. What is compared is measured in turns, so that what else the machine
does meets both alike; the figures are medians, in ms.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.photos import found
from bench.servers import System, system
from lookalike import Example

QUERIES = 64
ROUNDS = 7
SINGLES = 60
LIMIT = 10
BOX = (0.1, 0.1, 0.9, 0.9)
# Name of the ratio, what it should be, and whether more is better.
Row = tuple[str, float, float, float, bool]


def measure(running: System, paths: list[str], blobs: list[bytes]) -> list[Row]:
    """Name, ms of the first, ms of the second, bound of their ratio, and whether the ratio should be above it."""
    client, draw = running.client, random.Random(1)  # noqa: S311 (which photos, no secret)

    def one(image: object, **fields: object) -> Callable[[], object]:
        return lambda: client.search(image, LIMIT, **fields).result()  # type: ignore[arg-type]

    def each(images: list[object]) -> Callable[[], object]:
        return lambda: [client.search(image, LIMIT).result() for image in images]  # type: ignore[arg-type]

    def many(images: list[object]) -> Callable[[], object]:
        return lambda: client.search_many(images, LIMIT).result()  # type: ignore[arg-type]

    def some(images: list[object], count: int) -> list[object]:
        return draw.sample(images, count)

    rows: list[Row] = []
    for what, images, bound in (("library paths", paths, 4.0), ("uploads", blobs, 1.3)):
        took = _in_turn([(each(batch), many(batch)) for batch in (some([*images], QUERIES) for _ in range(ROUNDS))])
        rows.append((f"{QUERIES} {what} one by one : in one message", *took, bound, True))
    filtered = {"filter": "format=JPEG width_px>=10"}
    pairs = [(one(some([*paths], 3), **filtered), one(some([*paths], 1)[0])) for _ in range(SINGLES)]
    rows.append(("three library paths and a filter : one library path", *_in_turn(pairs), 1.5, False))
    pairs = [
        (one([Example(blob, box=BOX) for blob in draw.sample(blobs, 3)]), one(some([*blobs], 1)[0]))
        for _ in range(SINGLES)
    ]
    rows.append(("three uploads with a box : one upload", *_in_turn(pairs), 3.5, False))
    for what, fields in (("exclude_self", {"exclude_self": True}), ("group_exact", {"group_exact": True})):
        pairs = [(one(path, **fields), one(path)) for path in draw.sample(paths, SINGLES)]
        rows.append((f"a library path with {what} : without", *_in_turn(pairs), 0.0, True))
    pairs = [(one(path, filter="path=*[0-4]*.jpg"), one(path)) for path in draw.sample(paths, SINGLES)]
    rows.append(("a library path with a pattern of paths : without", *_in_turn(pairs), 0.0, True))
    return rows


def _in_turn(pairs: list[tuple[Callable[[], object], Callable[[], object]]]) -> tuple[float, float]:
    """Median ms of the firsts and of the seconds; the first pair warms up."""
    took: tuple[list[float], list[float]] = ([], [])
    for pair in [pairs[0], *pairs]:
        for call, times in zip(pair, took, strict=True):
            begun = time.perf_counter()
            call()
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took[0][1:]), statistics.median(took[1][1:])


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.asking", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[1] / "models" / "resnet.onnx")
    given = parser.parse_args()
    photos = [path for each in found(given.photos).values() for path in each]
    with tempfile.TemporaryDirectory(prefix="bench-asking-") as kept:
        folder = Path(kept)
        (folder / "dropped").mkdir()
        for number, photo in enumerate(photos):
            shutil.copy(photo, folder / "dropped" / f"{number}{photo.suffix.lower()}")
        with system(folder / "system", given.model) as running:
            running.drop(folder / "dropped")
            running.wait_until_at_rest()
            paths = [file.path for file in running.client.list() if file.status == "indexed"]
            rows = measure(running, paths, [photo.read_bytes() for photo in photos])
    print(f"{len(paths)} photos")
    for name, first, second, bound, above in rows:
        ratio = first / second
        verdict = "" if not bound else ("met" if (ratio >= bound) == above else "MISSED")
        print(f"{name:62} {first:8.1f} : {second:7.1f} ms = {ratio:5.2f}  {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
