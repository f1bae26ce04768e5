"""Writes the photos of the classes that training spares into folders, so that any model can be measured on them.

    python -m models.training.held_out PHOTOS... --into FOLDER [--held-out SOURCE ...]

PHOTOS and --held-out as for models.training.distill, in the same order. FOLDER receives SOURCE/CLASS/photo: evaluate
each source (`python -m models.evaluate MODEL.onnx FOLDER/SOURCE`) and average over them, as the log of training does.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.tools.photos import read_photos
from models.training.split import divide


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.held_out",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--held-out", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    photos = list(read_photos(given.photos))
    label, source = np.array([photo.label for photo in photos]), np.array([photo.source for photo in photos])
    parts = divide(label, source, held_out=given.held_out, seed=given.seed)
    for row in parts.unseen:
        photo = photos[row]
        folder = given.into / photo.source / photo.label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row:06d}-{Path(photo.name).name}").write_bytes(photo.content)
    print(
        f"{len(parts.unseen)} photos of {len(set(zip(source[parts.unseen], label[parts.unseen], strict=True)))} classes"
    )


if __name__ == "__main__":
    main()
