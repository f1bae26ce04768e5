"""Duplicates among photos and their copies, found by the job's own code, and by others in the rival's environment.

    python -m bench.duplicates PHOTOS [--most 500] [--kinds q75,half,mirror,crop80] [--rival PYTHON]

A pair of two copies of one photo is right, too; recall is that of photos and their copies. Prints one JSON document.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike.duplicates.groups import FileFacts
from lookalike.messages import DuplicatesMessage
from models.decoding import Limits, decode_file, register_formats
from models.tools.embedder import Embedder
from models.tools.perturbations import copied
from worker.duplicates.comparing import Comparing
from worker.duplicates.job import FindDuplicates
from worker.duplicates.kept import Kept
from worker.duplicates.pixels import Pixels
from worker.duplicates.small import small_jpeg

EASY, HARD = "q75,half,mirror,crop80", "crop50,turn90,frame,text,grey,screenshot"
COPY_QUALITY = {"q75": 75}
OTHER_QUALITY = 90
HERE = Path(__file__).parent


class InMemory:
    """Pictures as an index holds them."""

    def __init__(self, rows: Sequence[tuple[FileFacts, NDArray[np.float32], bytes]]) -> None:
        self._rows = {facts.path: (facts, vector, small) for facts, vector, small in rows}

    def files(self) -> Iterator[list[FileFacts]]:
        """All of them, in one page."""
        yield [facts for facts, _, _ in self._rows.values()]

    def contents(self, paths: Sequence[str]) -> list[tuple[str, NDArray[np.float32], bytes]]:
        """Content, vector and small picture of each."""
        return [(facts.sha256, vector, small) for facts, vector, small in (self._rows[path] for path in paths)]

    def nearest(self, vectors: NDArray[np.float32], limit: int) -> list[list[tuple[str, float]]]:
        """The nearest of each vector, exactly."""
        known = [(facts.sha256, vector) for facts, vector, _ in self._rows.values()]
        cosines = vectors @ np.stack([vector for _, vector in known]).T
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :limit]
        return [[(known[at][0], float(row[at])) for at in order] for row, order in zip(cosines, best, strict=True)]


def photos(folder: Path, most: int) -> list[tuple[str, Image.Image]]:
    """Names and upright pictures, evenly spread over the folder in order of their paths."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = [files[round(at)] for at in np.linspace(0, len(files) - 1, min(most, len(files)))]
    return [(str(path.relative_to(folder)), decode_file(path.read_bytes(), None, Limits()).image) for path in chosen]


def as_file(image: Image.Image, kind: str) -> Image.Image:
    """What is left of a copy after it was written as JPEG."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=COPY_QUALITY.get(kind, OTHER_QUALITY))
    return Image.open(BytesIO(buffer.getvalue())).convert("RGB")


def found_pairs(
    names: Sequence[str], images: Sequence[Image.Image]
) -> tuple[list[tuple[str, str, str]], dict[str, Any]]:
    """Label and names of each pair that the job finds, and what it says of itself."""
    vectors = Embedder(HERE.parent / "models" / "resnet.onnx").describe(images)[1]
    facts = [
        FileFacts(
            path=name,
            sha256=name,
            size_bytes=1,
            mtime_ns=0,
            width_px=image.width,
            height_px=image.height,
            format="JPEG",
        )
        for name, image in zip(names, images, strict=True)
    ]
    kept = Kept(None)
    job = FindDuplicates(
        InMemory(
            [(fact, vector, small_jpeg(image)) for fact, vector, image in zip(facts, vectors, images, strict=True)]
        ),
        kept,
        Comparing(kept, Pixels(None, Limits())),
        16,
        200_000,
    )
    begun_s = time.process_time()
    reply, groups = job.run(DuplicatesMessage())
    about = {"groups": reply.groups, "cpu_s": round(time.process_time() - begun_s, 1)}
    about["largest_group"] = max((len(group.paths) for group in groups), default=0)
    return [(pair.label, pair.a, pair.b) for pair in kept.pairs()], about


def judged(pairs: Sequence[tuple[str, str]], names: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
    """Precision of all pairs, and the recall of those of a photo and its copies, by kind."""
    right = [pair for pair in pairs if photo_of(pair[0]) == photo_of(pair[1])]
    hit: Counter[str] = Counter()
    for pair in right:
        both = sorted(name.rpartition("#")[2] for name in pair)
        if "photo" in both:
            both.remove("photo")
            hit[both[0]] += 1
    count = sum(name.endswith("#photo") for name in names)
    wrong = [pair for pair in pairs if photo_of(pair[0]) != photo_of(pair[1])]
    return {
        "pairs_found": len(pairs),
        "precision": round(len(right) / len(pairs), 4) if pairs else None,
        "recall": round(sum(hit.values()) / (count * len(kinds)), 4) if kinds else None,
        "recall_by_kind": {kind: round(hit[kind] / count, 3) for kind in kinds},
        "wrong": wrong[:20],
    }


def photo_of(name: str) -> str:
    """The photo that a copy shows."""
    return name.rpartition("#")[0]


def main() -> int:
    """Runs the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.duplicates")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--most", type=int, default=500)
    parser.add_argument("--kinds", default=EASY)
    parser.add_argument("--rival", type=Path, help="a Python with pdqhash and imagehash")
    arguments = parser.parse_args()
    register_formats()
    kinds = [kind for kind in arguments.kinds.split(",") if kind]
    named = photos(arguments.photos, arguments.most)
    names, images = [f"{name}#photo" for name, _ in named], [image for _, image in named]
    for kind in kinds:
        names += [f"{name}#{kind}" for name, _ in named]
        images += [as_file(copy, kind) for copy in copied(kind, [image for _, image in named])]
    pairs, about = found_pairs(names, images)
    copies = [(a, b) for label, a, b in pairs if label != "similar"]
    document: dict[str, Any] = {
        "photos": len(named),
        "kinds": kinds,
        "lookalike": {**about, **judged(copies, names, kinds)},
    }
    if arguments.rival is not None:
        with tempfile.TemporaryDirectory() as folder:
            for number, image in enumerate(images):
                image.save(Path(folder) / f"{number:06}.png")
            script = str(HERE / "rivals" / "hash_rivals.py")
            done = subprocess.run([str(arguments.rival), script, folder], capture_output=True, check=True)
        for rival, hits in json.loads(done.stdout).items():
            document[rival] = judged([(names[a], names[b]) for a, b in hits], names, kinds)
            document[rival]["wrong"] = document[rival]["wrong"][:3]
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
