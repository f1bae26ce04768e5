"""What a network of published weights makes of the same view at more pixels: a target of each view, not of each photo.

A teacher that sees the very crop that its student sees teaches more than one that saw the whole photo once (Beyer et
al., arXiv:2106.05237), and what the same network tells at a higher resolution a student can learn to tell at a lower
one (Touvron et al., arXiv:1906.06423). It also holds the student to what the published weights know of a thousand
classes while it learns from photos of a few.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.tools.graph import Weights
from models.tools.retrieval import normalised
from models.training.features import Features, write_features
from models.training.heads import Head, whitening

DIMENSION = 256
WHITENED_BY = 0.25
FITTED_ON = 5000  # photos
CALIBRATION_PHOTOS = 96


class Sharper:
    """Targets of views of `px`: the first principal components of that network's last feature, half whitened."""

    def __init__(self, path: Path, head: Head, px: int) -> None:
        self.px = px
        self._path = path
        self._weight, self._bias = head

    @cached_property
    def _features(self) -> Features:
        """Opened by the process that makes batches, at the first: a session does not survive a fork."""
        return Features(self._path)

    def targets(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, px, px, 3] -> float32 [n, DIMENSION], L2 norm 1."""
        last, *_ = self._features.of(views)
        return normalised(last @ self._weight.T + self._bias)


def make_sharper(
    folder: Path, weights: Weights, blocks: tuple[int, ...], photos: NDArray[np.uint8], *, v1: bool
) -> Sharper:
    """Written into `folder` once; its components are those of what the network makes of photos [n, px, px, 3]."""
    px = photos.shape[1]
    path, basis = folder / f"sharper{px}.onnx", folder / f"sharper{px}.npz"
    if not path.exists():
        write_features(path, weights, blocks, photos[:CALIBRATION_PHOTOS], v1=v1)
    if not basis.exists():
        last, *_ = Features(path).of(photos)
        weight, bias = whitening(last, DIMENSION, WHITENED_BY)
        np.savez(basis, weight=weight, bias=bias)
    with np.load(basis) as kept:
        return Sharper(path, (kept["weight"], kept["bias"]), px)
