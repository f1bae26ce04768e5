"""Measures how well a model file finds photos of the same class, and transformed copies, in a folder.

    python -m models.evaluate MODEL.onnx FOLDER [--against OTHER.onnx] [--pairs [KIND ...]] [--json]

Copies are looked for by the embedding and, where the model has one, by its copy descriptor. With --pairs all pairs
among some photos and their copies are told apart by the threshold in the model file, and by the best one.
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
from models.tools.pairs import PairFigures, PairReport, pair_report
from models.tools.perturbations import KINDS, copied
from models.tools.photos import open_rgb, read_photos
from models.tools.retrieval import copies_found, figures

PAIRED_KINDS = ("q75", "half", "mirror", "crop80")
PAIRED_PHOTOS = 500


@dataclass(frozen=True)
class Report:
    """`map`, `p_at_10`, `r_at_1` as in models/tools/retrieval.py; `copies`: R@1 for each kind, all in 0..1.

    `by_copy`: the same as `copies` by the copy descriptor, None where the model has none; `pairs`: if asked for.
    """

    map: float
    p_at_10: float
    r_at_1: float
    copies: dict[str, float]
    by_copy: dict[str, float] | None = None
    pairs: PairReport | None = None


def evaluate(
    embedder: Embedder, photos: Sequence[bytes], labels: NDArray[np.str_], paired: Sequence[str] = ()
) -> Report:
    """Measures on encoded photos; labels str [n]; paired: kinds of copies, of which pairs are made with 500 photos.

    Raises ValueError if no class has two photos.
    """
    originals, descriptors = embedder.describe(open_rgb(photo, embedder.rule) for photo in photos)
    images = [open_rgb(photo) for photo in photos]
    found = figures(originals, labels)
    # Spread over the folder, so that every class is among them.
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(PAIRED_PHOTOS, len(photos))).round().astype(int))
    copies, by_copy, pairs = {}, {}, {}
    for kind in KINDS:
        embeddings, copy_descriptors = embedder.describe(copied(kind, images))
        copies[kind] = copies_found(originals, embeddings)
        by_copy[kind] = copies_found(descriptors, copy_descriptors)
        if kind in paired:
            pairs[kind] = copy_descriptors[chosen]
    near = None if embedder.card is None else embedder.card.near
    return Report(
        found.map,
        found.p_at_10,
        found.r_at_1,
        copies,
        by_copy if embedder.knows_copies else None,
        pair_report(descriptors[chosen], pairs, near) if pairs else None,
    )


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
    parser.add_argument(
        "--pairs",
        nargs="*",
        choices=KINDS,
        metavar="KIND",
        help=f"pairs among 500 photos and their copies of these kinds; of {' '.join(PAIRED_KINDS)} if none is named",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document (a list of two with --against)")
    given = parser.parse_args(arguments)
    paired = () if given.pairs is None else given.pairs or PAIRED_KINDS
    paths = [given.model] if given.against is None else [given.model, given.against]
    reports = []
    try:
        photos, labels = read_folder(given.folder)
        for path in paths:
            embedder = Embedder(path)
            began = time.perf_counter()
            reports.append(evaluate(embedder, photos, labels, paired))
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
    """One line for each figure, one column for each model, in the order given; `-` for what a model lacks."""
    lines: list[tuple[str, list[float | None]]] = [("mAP", [report.map for report in reports])]
    lines.append(("P@10", [report.p_at_10 for report in reports]))
    lines.append(("R@1", [report.r_at_1 for report in reports]))
    lines += [(f"copies {kind}", [report.copies[kind] for report in reports]) for kind in KINDS]
    if any(report.by_copy is not None for report in reports):
        lines += [(f"by copy {kind}", [(report.by_copy or {}).get(kind) for report in reports]) for kind in KINDS]
    pairs = [report.pairs for report in reports if report.pairs is not None]
    if pairs:
        lines += _pair_lines("pairs", [pair.all for pair in pairs])
        for kind in pairs[0].by_kind:
            lines += _pair_lines(f"pairs {kind}", [pair.by_kind[kind] for pair in pairs])
    width = max(len(title) for title, _ in lines) + 2
    return "\n".join(
        f"{title:<{width}}" + "".join(f"{'-' if value is None else format(value, '.3f'):>8}" for value in values)
        for title, values in lines
    )


def _pair_lines(title: str, pairs: Sequence[PairFigures]) -> list[tuple[str, list[float | None]]]:
    return [
        (f"{title}: threshold", [each.threshold for each in pairs]),
        (f"{title}: precision", [each.precision for each in pairs]),
        (f"{title}: recall", [each.recall for each in pairs]),
        (f"{title}: recall at precision .99", [each.recall_at_p99 for each in pairs]),
        (f"{title}: its threshold", [each.threshold_at_p99 for each in pairs]),
    ]


if __name__ == "__main__":
    sys.exit(main())
