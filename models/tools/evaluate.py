"""Measures how well a model file finds photos of the same class, and transformed copies, in a folder.

    python -m models.evaluate MODEL.onnx FOLDER [--against OTHER.onnx] [--json]

Takes models of the contract and float models such as the teacher. Needs onnxruntime only, no torch.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.tools.embedder import Embedder
from models.tools.perturbations import TRANSFORMS
from models.tools.photos import open_rgb, read_photos
from models.tools.retrieval import copies_found, figures


@dataclass(frozen=True)
class Report:
    """`map`, `p_at_10`, `r_at_1` as in models/tools/retrieval.py; `copies`: R@1 for each transform, all in 0..1."""

    map: float
    p_at_10: float
    r_at_1: float
    copies: dict[str, float]


def evaluate(embedder: Embedder, photos: Sequence[bytes], labels: NDArray[np.str_]) -> Report:
    """Measures on encoded photos; labels str [n]. Raises ValueError if no class has two photos."""
    originals = embedder.embed(open_rgb(photo, embedder.rule) for photo in photos)
    images = [open_rgb(photo) for photo in photos]
    found = figures(originals, labels)
    copies = {
        name: copies_found(originals, embedder.embed(transform(image) for image in images))
        for name, transform in TRANSFORMS.items()
    }
    return Report(found.map, found.p_at_10, found.r_at_1, copies)


def read_folder(folder: Path) -> tuple[list[bytes], NDArray[np.str_]]:
    """All photos that open, encoded, and their class folders' names; a line on stderr for each that does not.

    Raises ValueError if none opens.
    """
    photos, labels = [], []
    for photo in read_photos([folder]):
        try:
            open_rgb(photo.content)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            print(f"left out {photo.name}: {error}", file=sys.stderr)
            continue
        photos.append(photo.content)
        labels.append(photo.label)
    if len(photos) == 0:
        raise ValueError(f"no photo in {folder} opens: give a folder of class folders")
    return photos, np.array(labels, dtype=np.str_)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above; exit code 1 with one sentence when something cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path, help="one sub-folder of photos for each class")
    parser.add_argument("--against", type=Path, help="a second model, measured on the same photos")
    parser.add_argument("--json", action="store_true", help="print one JSON document (a list of two with --against)")
    given = parser.parse_args(arguments)
    paths = [given.model] if given.against is None else [given.model, given.against]
    reports = []
    try:
        photos, labels = read_folder(given.folder)
        for path in paths:
            embedder = Embedder(path)
            began = time.perf_counter()
            reports.append(evaluate(embedder, photos, labels))
            took_s = time.perf_counter() - began
            if not given.json:
                print(f"{path.name}: {embedder.name}, {len(photos)} photos, measured in {took_s:.1f} s")
    except (ValueError, OSError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    if given.json:
        documents = [asdict(report) for report in reports]
        print(json.dumps(documents if given.against is not None else documents[0]))
    else:
        print(table(reports))
    return 0


def table(reports: Sequence[Report]) -> str:
    """One line for each figure, one column for each model, in the order given."""
    lines = [("mAP", [report.map for report in reports])]
    lines.append(("P@10", [report.p_at_10 for report in reports]))
    lines.append(("R@1", [report.r_at_1 for report in reports]))
    lines += [(f"copies {name}", [report.copies[name] for report in reports]) for name in TRANSFORMS]
    return "\n".join(f"{title:<14}" + "".join(f"{value:8.3f}" for value in values) for title, values in lines)


if __name__ == "__main__":
    sys.exit(main())
