"""Fits two heads in closed form, on what the int8 network that ships makes of photos and of their copies; minutes.

    python -m models.training.fit_heads FOLDER [--weights FILE ...] --v1 --px 160 --held-out SOURCE ... --out STUDENT.pt

FOLDER is the --out of models.training.distill. `detail_head` joins to the embedding the whitened components of the
stage before the last, `copy_head` makes the descriptor for copies. Both see that stage through a window
(models/tools/window.py): what tells a photo from another of the same kind is lost in the last stage, which learns to
overlook it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.contract import COPY, OUTPUT
from models.tools.graph import DETAIL, DETAIL_SHARE, HEADS
from models.tools.resnet import DEPTHS
from models.tools.window import WINDOW, centre_window, map_side
from models.training.augment import as_blurred, as_copy, as_grey, as_part, shrunk
from models.training.features import Features, write_features
from models.training.heads import Head, as_state, discriminant, whitening
from models.training.split import divide
from models.training.teacher import load_lesson

# Of the embedding: what is in the picture, and how it looks. docs/decisions/0004-model.md.
DIMENSION, DETAIL_DIMENSION, SHARE = 128, 384, 0.7
DETAIL_WHITENED_BY = 0.6
COPY_DIMENSION = 256
COPIES, PARTS = 3, 2
CALIBRATION_PHOTOS = 128
AT_ONCE = 16


def views_of(
    photo: NDArray[np.uint8], other: NDArray[np.uint8], px: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A square uint8 [s, s, 3] -> copies and parts of it, and it in grey and blurred, [k, px, px, 3].

    The last two are rare alone among copies that differ in several ways, and common among those that people make.
    """
    copies = [as_copy(photo, other, px, rng) for _ in range(COPIES)]
    parts = [as_part(photo, px, rng) for _ in range(PARTS)]
    return np.stack([*copies, *parts, as_grey(photo, px, rng), as_blurred(photo, px, rng)])


def fit(features: Features, photos: Sequence[NDArray[np.uint8]], *, px: int, most: int, seed: int) -> dict[str, Head]:
    """Heads by name, from squares uint8 [s, s, 3]; copies of the first `most`."""
    chunks = [photos[begin : begin + AT_ONCE] for begin in range(0, len(photos), AT_ONCE)]
    before = np.concatenate([features.of(shrunk(np.stack(chunk), px))[1] for chunk in chunks])
    rng = np.random.default_rng(seed)
    copies = [features.of(views_of(photo, photos[row - 1], px, rng))[1] for row, photo in enumerate(photos[:most])]
    views = np.concatenate([before[: len(copies), np.newaxis], np.stack(copies)], axis=1)
    return {
        DETAIL: whitening(before, DETAIL_DIMENSION, DETAIL_WHITENED_BY),
        HEADS[COPY]: discriminant(views, COPY_DIMENSION),
    }


def mean_of(paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The mean of weights of one network: nearer to each than they are to one another, and better than either.

    After Wortsman et al., arXiv:2203.05482.
    """
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    mean: dict[str, torch.Tensor] = dict(states[0])
    for name, value in mean.items():
        if value.is_floating_point():
            mean[name] = torch.stack([state[name] for state in states if name in state]).mean(dim=0)
    return mean


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.fit_heads",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="FOLDER", help="where distill wrote student.pt and the lesson")
    parser.add_argument("--weights", type=Path, nargs="+", metavar="FILE", help="their mean, not FOLDER/student.pt")
    parser.add_argument("--depth", default="resnet50")
    parser.add_argument("--v1", action="store_true", help="the stride on the first convolution")
    parser.add_argument("--px", type=int, required=True, help="side of the input")
    parser.add_argument("--held-out", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--regular", type=int, metavar="PHOTOS", help="the first so many, without those of --some-of")
    parser.add_argument("--most", type=int, default=4000, help="photos whose copies are looked at")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    lesson = load_lesson(given.run / "lesson")
    state = mean_of(given.weights or [given.run / "student.pt"])
    state[WINDOW] = torch.from_numpy(centre_window(map_side(given.px), map_side(given.px)))
    arrays = {name: value.numpy() for name, value in state.items()}
    parts = divide(lesson.label, lesson.source, held_out=given.held_out, seed=given.seed)
    rows = np.random.default_rng(given.seed).permutation(parts.train)
    rows = rows if given.regular is None else rows[rows < given.regular]
    few = shrunk(lesson.pixels[rows[:CALIBRATION_PHOTOS]], given.px)
    path = given.run / "features.onnx"
    write_features(path, arrays, DEPTHS[given.depth].blocks, few, v1=given.v1)
    photos = [lesson.pixels[row] for row in rows]
    heads = fit(Features(path, given.threads), photos, px=given.px, most=given.most, seed=given.seed)
    for name, head in heads.items():
        state |= as_state(name, head)
    for part in ("weight", "bias"):  # the targets' components are in the order of their variance
        name = f"{HEADS[OUTPUT]}.{part}"
        state[name] = state[name][:DIMENSION].clone()
    state[DETAIL_SHARE] = torch.tensor([SHARE])
    torch.save(state, given.out)
    print(f"fitted {given.out} on {len(rows)} photos, and on copies of {min(given.most, len(rows))}")


if __name__ == "__main__":
    main()
