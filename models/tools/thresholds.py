"""Measures the thresholds of a copy descriptor and writes them into the model file; its fingerprint stays.

    python -m models.tools.thresholds MODEL.onnx PHOTOS...

PHOTOS are folders or tar files of photos that the model did not learn from. Needs onnx and onnxruntime.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import onnx

from models.contract import ModelCard, read_card
from models.tools.embedder import Embedder
from models.tools.metadata import stamp
from models.tools.pairs import all_pairs, pair_figures
from models.tools.perturbations import KINDS, copied
from models.tools.photos import Photo, open_rgb, read_photos

MOST_PHOTOS = 250
FOUND_BY_SIMILAR = 0.95  # of the pairs that show one photo


def with_thresholds(model: Path, photos: Sequence[Photo]) -> ModelCard:
    """Rewrites `model`; returns its card.

    `near` is the lowest cosine at which 99 of 100 pairs show one photo, over all pairs among the photos and one copy of
    each kind of each; `similar` the highest that 95 of 100 of those pairs reach. Raises ValueError for a model without
    a copy descriptor, and where no threshold has that precision.
    """
    embedder = Embedder(model)
    if not embedder.knows_copies:
        raise ValueError(f"{model} has no copy descriptor, so there is nothing to set a threshold for")
    images = [open_rgb(photo.content) for photo in photos]
    _, originals = embedder.describe(images)
    copies = {kind: embedder.describe(copied(kind, images))[1] for kind in KINDS}
    scores, right = all_pairs(originals, copies)
    near = pair_figures(scores, right, None).threshold_at_p99
    if near is None:
        raise ValueError(f"no threshold tells copies from other photos with a precision of .99 in {model}")
    similar = float(np.quantile(scores[right], 1 - FOUND_BY_SIMILAR))
    card = replace(read_card(model), near=_rounded(near), similar=_rounded(min(near, similar)))
    return stamp(onnx.load(model), card, model)


def _rounded(cosine: float) -> float:
    return round(min(1.0, max(0.0, cosine)), 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above; exit code 1 with one sentence when nothing was written."""
    parser = argparse.ArgumentParser(
        prog="python -m models.tools.thresholds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    try:
        card = with_thresholds(given.model, list(islice(read_photos(given.photos), MOST_PHOTOS)))
    except (ValueError, OSError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    print(f"{given.model}: near={card.near} similar={card.similar}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
