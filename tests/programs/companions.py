"""100 drawn pairs of RAW and JPEG and 100 of edited copies: `python -m tests.programs.companions [--pairs 100]`.

A real `lookalike up` with the model that ships indexes them, and a job for duplicates says what it takes each pair for.
Prints one JSON document: the labels of the pairs that belong together, and of all others.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance

from lookalike import Client, LookalikeError
from tests.local.conftest import Machine
from tests.support.dng import dng
from tests.support.pictures import picture
from tests.support.waiting import wait_until

SIZE = (640, 428)
INDEXED_WITHIN_S = 600.0
DONE_WITHIN_S = 300.0


def scene(seed: int) -> Image.Image:
    """A picture with forms in it, different for each seed."""
    image = picture(seed, SIZE)
    draw = ImageDraw.Draw(image)
    for at in range(12):
        coarse = picture(1000 * seed + at, (2, 2))
        x, y = (seed * 37 + at * 53) % SIZE[0], (seed * 59 + at * 71) % SIZE[1]
        box = (x, y, x + 30 + 17 * at % 90, y + 25 + 23 * at % 80)
        (draw.ellipse if at % 2 else draw.rectangle)(box, fill=coarse.getpixel((0, 0)))
    return image


def fill(library: Path, pairs: int) -> int:
    """Writes the pairs, and returns how many files they are."""
    (library / "camera").mkdir(parents=True)
    (library / "edited").mkdir()
    for at in range(pairs):
        shot = scene(at)
        (library / "camera" / f"DSC{at:04}.DNG").write_bytes(dng(scene=shot))
        shot.save(library / "camera" / f"DSC{at:04}.JPG", quality=92)
        other = scene(pairs + at)
        other.save(library / "edited" / f"IMG_{at:04}.jpg", quality=92)
        name = f"IMG_E{at:04}.jpg" if at % 2 else f"IMG_{at:04}-edited.jpg"
        ImageEnhance.Brightness(ImageEnhance.Color(other).enhance(1.4)).enhance(1.15).save(library / "edited" / name)
    return 4 * pairs


def main() -> int:
    """Exit code: 1 if a pair is not `companion`, or any is `near`."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.companions", description=__doc__)
    parser.add_argument("--pairs", type=int, default=100, help="of each kind (%(default)s)")
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder))
        try:
            files = fill(machine.library, pairs)
            code = "from lookalike.cli import main; main()"
            machine.start([sys.executable, "-c", code, "up", str(machine.library), "--data", str(machine.folder.root)])
            with Client(data=machine.folder.root) as client:
                wait_until(lambda: is_indexed(client, files), INDEXED_WITHIN_S, every_s=0.5)
                job = client.duplicates(labels=("exact", "same", "near", "similar", "companion"))
                job.result(timeout_s=DONE_WITHIN_S)
                found = [pair for group in job.groups() for pair in group.pairs]
        finally:
            machine.clear()
    together: dict[str, Counter[str]] = {"camera": Counter(), "edited": Counter()}
    others: Counter[str] = Counter()
    for pair in found:
        kind, a, b = Path(pair.a).parts[0], number(pair.a), number(pair.b)
        if a == b:
            together[kind][pair.label] += 1
        else:
            others[pair.label] += 1
    sys.stdout.write(json.dumps({"files": files, "pairs": together, "other pairs": others}, indent=1) + "\n")
    labels = [*together.values()]
    return int(any(found["companion"] != pairs or found["near"] for found in labels) or others["near"] > 0)


def number(path: str) -> str:
    """The digits of a file's name, by which a pair belongs together."""
    return "".join(filter(str.isdigit, Path(path).stem))


def is_indexed(client: Client, files: int) -> bool:
    """Whether that many are in the index, and nothing is left to do."""
    with suppress(LookalikeError):
        status = client.status()
        return status.is_done and status.indexed == files
    return False


if __name__ == "__main__":
    sys.exit(main())
