"""Measures a model on photos of a user's own library: their copies, and their folders as classes.

    python -m models.tools.own_photos MODEL.onnx FOLDER [--generation G] < NAMES

NAMES are paths below FOLDER, a NUL byte after each. Prints one JSON document a line: {"done": 32, "of": 500} while it
works, at last {"report": {...}}. `lookalike evaluate` starts it and shows that. Needs onnxruntime only, no torch.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.tools.embedder import Embedder, Rule
from models.tools.pairs import PairFigures, pair_figures
from models.tools.perturbations import KINDS, copied
from models.tools.photos import open_rgb
from models.tools.retrieval import Figures, copies_found, figures

# A collage takes others of the same chunk.
CHUNK = 16
# Copies are made of a photo that has this many times the model's input on each side, or of all of it if it has less.
SHARPNESS = 3
LONGEST_PX = 1600

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Described:
    """The outputs of the model for n images; `copies` are the embeddings again where it has no copy descriptor."""

    embeddings: Rows
    copies: Rows


@dataclass(frozen=True)
class Classes:
    """Folders as classes: how many have two of the photos or more, and the figures of models/tools/retrieval.py."""

    folders: int
    figures: Figures


@dataclass(frozen=True)
class OwnReport:
    """What was measured, by the copy descriptor if `by_copy`, else by the embedding.

    `pairs` are every photo with every copy, right if the copy was made of that photo; `found_first` is the share of
    copies whose photo is the nearest of all. `left_out` counts files that do not open any more, and photos with the
    bytes of another one.
    """

    model: str
    photos: int
    left_out: int
    by_copy: bool
    pairs: PairFigures
    pairs_by_kind: dict[str, PairFigures]
    found_first: dict[str, float]
    found_first_by_embedding: dict[str, float]
    classes: Classes | None


def measure(
    embedder: Embedder, folder: Path, names: Sequence[str], tell: Callable[[int], None] = lambda _: None
) -> OwnReport:
    """Measures on the files of these names below the folder; `tell` hears how many are done.

    Raises ValueError if fewer than two of them can be opened.
    """
    photos: list[Described] = []
    copies: dict[str, list[Described]] = {kind: [] for kind in KINDS}
    labels: list[str] = []
    seen: set[str] = set()
    done = 0
    # Of about the same size, so that a collage has other photos in the last chunk, too.
    for chunk in np.array_split(np.array(names, dtype=object), max(1, round(len(names) / CHUNK))):
        opened = [(name, image) for name in chunk if (image := _opened(folder / name, embedder, seen)) is not None]
        images = [image for _, image in opened]
        if images:
            photos.append(Described(*embedder.describe(images)))
            for kind in KINDS:
                copies[kind].append(Described(*embedder.describe(copied(kind, images))))
        labels += [PurePosixPath(name).parent.as_posix() for name, _ in opened]
        done += len(chunk)
        tell(done)
    if len(labels) <= 1:
        raise ValueError(f"{len(labels)} of {len(names)} files can be opened, and comparing takes two photos")
    whole = {kind: _joined(parts) for kind, parts in copies.items()}
    return _report(embedder, _joined(photos), whole, labels, left_out=len(names) - len(labels))


def _report(
    embedder: Embedder, photos: Described, copies: Mapping[str, Described], labels: Sequence[str], *, left_out: int
) -> OwnReport:
    near = None if embedder.card is None else embedder.card.near
    same = np.eye(len(labels), dtype=bool).ravel()
    scores = {kind: (rows.copies @ photos.copies.T).ravel() for kind, rows in copies.items()}
    return OwnReport(
        model=embedder.name,
        photos=len(labels),
        left_out=left_out,
        by_copy=embedder.knows_copies,
        pairs=pair_figures(np.concatenate([*scores.values()]), np.tile(same, len(scores)), near),
        pairs_by_kind={kind: pair_figures(found, same, near) for kind, found in scores.items()},
        found_first={kind: copies_found(photos.copies, rows.copies) for kind, rows in copies.items()},
        found_first_by_embedding={
            kind: copies_found(photos.embeddings, rows.embeddings) for kind, rows in copies.items()
        },
        classes=_classes(photos.embeddings, labels),
    )


def _classes(embeddings: Rows, labels: Sequence[str]) -> Classes | None:
    """None unless two folders have two photos each: with one there is nothing to tell apart."""
    folders = sum(count > 1 for count in Counter(labels).values())
    return Classes(folders, figures(embeddings, np.array(labels, dtype=np.str_))) if folders > 1 else None


def _opened(path: Path, embedder: Embedder, seen: set[str]) -> Image.Image | None:
    """The photo, upright and no larger than copies of it need; None if it does not open, or was there before."""
    card = embedder.rule
    try:
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in seen:
            return None
        image = open_rgb(content, Rule(SHARPNESS * card.height_px, SHARPNESS * card.width_px, card.resize))
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    seen.add(sha256)
    image.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BICUBIC)
    return image


def _joined(parts: Sequence[Described]) -> Described:
    return Described(
        np.concatenate([part.embeddings for part in parts]), np.concatenate([part.copies for part in parts])
    )


def _check_made_with(embedder: Embedder, generation: str) -> None:
    """Raises ValueError if an index of this generation (worker/index/identity.py) was made with another model file."""
    fingerprint = "" if embedder.card is None else embedder.card.fingerprint
    if not fingerprint.startswith(generation.partition("-")[0]):
        raise ValueError("the index was made with another model file: set LOOKALIKE_MODEL to that one")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line above; exit code 1 with one sentence when something cannot be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m models.tools.own_photos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generation", default="", help="the generation of the index that the model must be that of")
    given = parser.parse_args(arguments)
    names = [os.fsdecode(name) for name in sys.stdin.buffer.read().split(b"\0") if name]
    try:
        embedder = Embedder(given.model)
        _check_made_with(embedder, given.generation)
        report = measure(
            embedder, given.folder, names, lambda done: print(json.dumps({"done": done, "of": len(names)}), flush=True)
        )
    except (ValueError, OSError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"report": asdict(report)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
