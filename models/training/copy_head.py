"""Fits a copy head in closed form, on what the int8 stages make of photos and of their copies; minutes.

    python -m models.training.copy_head STUDENT.pt TRUNK.onnx PHOTOS... --px 152 --held-out SOURCE ... --out STUDENT.pt

STUDENT.pt and TRUNK.onnx are what models.training.distill wrote. The head sees the stage before the last alone: what
tells a photo from another of the same kind is lost in the last, which learns to overlook it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.contract import COPY
from models.preprocess import STRETCH, prepare
from models.tools.embedder import Rule
from models.tools.graph import HEADS
from models.tools.photos import open_rgb, read_photos
from models.training.augment import as_copy
from models.training.heads import as_state, discriminant
from models.training.split import divide
from models.training.trunk import Trunk

DIMENSION = 256
COPIES = 2
STORE_PX = 208


def views_of(photos: Sequence[NDArray[np.uint8]], trunk: Trunk, px: int, seed: int) -> NDArray[np.float32]:
    """Squares uint8 [s, s, 3] -> pooled maps of each photo as it is and of two copies of it, float32 [n, 3, g]."""
    rng, rule = np.random.default_rng(seed), Rule(px, px, STRETCH)
    views = []
    for number, photo in enumerate(photos):
        shown = [prepare(Image.fromarray(photo), rule)]
        shown += [as_copy(photo, photos[number - 1], px, rng) for _ in range(COPIES)]
        maps = trunk.maps(np.stack(shown)).astype(np.float32)
        views.append((maps.mean(axis=(2, 3)) - trunk.zero_point) * trunk.scale)
    return np.stack(views)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.copy_head",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("student", type=Path)
    parser.add_argument("trunk", type=Path)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--px", type=int, required=True, help="side of the trunk's input")
    parser.add_argument("--held-out", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--most", type=int, default=1500, help="photos to fit it on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    photos = list(read_photos(given.photos))
    label, source = np.array([photo.label for photo in photos]), np.array([photo.source for photo in photos])
    train = divide(label, source, held_out=given.held_out, seed=given.seed).train
    rows = np.random.default_rng(given.seed).permutation(train)[: given.most]
    square = Rule(STORE_PX, STORE_PX, STRETCH)
    squares = [prepare(open_rgb(photos[row].content), square) for row in rows]
    head = discriminant(views_of(squares, Trunk(given.trunk), given.px, given.seed), DIMENSION)
    weights = torch.load(given.student, map_location="cpu", weights_only=True)
    torch.save(weights | as_state(HEADS[COPY], head), given.out)
    print(f"fitted {given.out} on {len(rows)} photos in {1 + COPIES} views each")


if __name__ == "__main__":
    main()
