"""How well two aligned pictures agree, block by block: noise, something laid over, or another picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.duplicates.refine import Aligned
from worker.duplicates.small import Grey

BLOCK_PX = 6
# A block counts if so much of it lies in both pictures.
LEAST_SEEN = 0.6
# Interpolated edges are left out.
EDGE_PX = 2
# Both are smoothed by this before they are compared, so that a resampling filter is no difference. In pixels.
SIGMA = 1.0
# What noise may be, in grey levels, and the part of a block's own contrast that resampling may be.
NOISE = 1.5
RESAMPLED = 0.2
# A block with this contrast, in grey levels, has half the weight that one of very much has.
TEXTURE = 4.0
# A block of this weight shows something: a contrast of 2.7 levels.
TELLING = 0.4
# Of noise so often is laid over, or another thing.
COVERED = 2.5

_TAPS = np.exp(-(np.arange(-3, 4) ** 2) / (2 * SIGMA**2))
KERNEL = (_TAPS / _TAPS.sum()).astype(np.float32)


@dataclass(frozen=True)
class Agreement:
    """Errors of blocks in units of noise, with the weight of each by its contrast, and which are covered or next to it.

    `area` is the part that was seen of the picture of which less was; `share` the same without the edges, which are
    left out of each.
    """

    errors: NDArray[np.float32]
    weights: NDArray[np.float32]
    covered: NDArray[np.bool_]
    next_to_covered: NDArray[np.bool_]
    area: float
    share: float

    @property
    def covered_weight(self) -> float:
        """The part of the contrast that is covered, 0 to 1."""
        return float(self.weights[self.covered].sum() / max(1e-6, self.weights.sum()))

    @property
    def evidence(self) -> float:
        """How many blocks of some contrast are clear: noise has none, however many blocks of it there are."""
        return float((self.weights[self.clear] >= TELLING).sum())

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Blocks that are neither covered nor next to it."""
        return ~(self.covered | self.next_to_covered)

    def agreeing(self, limit: float) -> float:
        """The part of the clear blocks' contrast whose error is below the limit, 0 to 1."""
        clear = self.clear
        weights = self.weights[clear]
        return float(weights[self.errors[clear] < limit].sum() / max(1e-6, weights.sum()))

    def flat_agreeing(self, limit: float) -> float:
        """The part of all clear blocks, flat ones as much as others, whose error is below the limit, 0 to 1."""
        errors = self.errors[self.clear]
        return float((errors < limit).mean()) if errors.size else 0.0


def agreement(aligned: Aligned, whole: Grey) -> Agreement | None:
    """Compares what `align` found; None if too little of both is seen."""
    valid = _inner(aligned.valid)
    height, width = valid.shape
    rows, columns = _starts(height), _starts(width)

    def sums(plane: Grey) -> Grey:
        return np.add.reduceat(np.add.reduceat(plane, rows, 0), columns, 1)

    mask = valid.astype(np.float32)
    counts = sums(mask)
    seen = counts >= LEAST_SEEN * sums(np.ones_like(mask))
    if seen.sum() < 4:  # noqa: PLR2004 (no median)
        return None
    total = np.maximum(counts, 1)
    part, other = smoothed(aligned.part) * mask, smoothed(aligned.whole) * mask
    contrast = (_deviation(part, total, sums) + _deviation(other, total, sums)) / 2
    errors = np.asarray(np.sqrt(sums((part - other) ** 2) / total) / (RESAMPLED * contrast + NOISE), np.float32)
    covered = (errors > COVERED) & seen
    of_whole = float(valid.sum() * aligned.warp.scale_x * aligned.warp.scale_y / whole.size)
    area = min(of_whole, float(valid.mean()))
    weights = np.asarray(contrast / (contrast + TEXTURE), np.float32)
    share = area / max(1e-6, float(_inner(np.ones_like(valid)).mean()))
    return Agreement(errors[seen], weights[seen], covered[seen], (_grown(covered) & ~covered)[seen], area, share)


def smoothed(plane: Grey) -> Grey:
    """A Gaussian of SIGMA pixels over a plane, its edges repeated."""
    height, width = plane.shape
    padded = np.pad(plane, ((3, 3), (0, 0)), "edge")
    plane = sum((tap * padded[at : at + height] for at, tap in enumerate(KERNEL)), np.zeros_like(plane))
    padded = np.pad(plane, ((0, 0), (3, 3)), "edge")
    return sum((tap * padded[:, at : at + width] for at, tap in enumerate(KERNEL)), np.zeros_like(plane))


def _inner(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the pixels next to its edges; it is a rectangle."""
    inner = np.zeros_like(valid)
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    top, bottom, left, right = (
        rows[0] + EDGE_PX,
        rows[-1] - EDGE_PX + 1,
        columns[0] + EDGE_PX,
        columns[-1] - EDGE_PX + 1,
    )
    inner[top:bottom, left:right] = True
    return inner


def _starts(side: int) -> NDArray[np.intp]:
    return np.linspace(0, side, max(1, round(side / BLOCK_PX)) + 1)[:-1].astype(np.intp)


def _deviation(plane: Grey, total: Grey, sums: Callable[[Grey], Grey]) -> Grey:
    mean = sums(plane) / total
    return np.asarray(np.sqrt(np.maximum(sums(plane * plane) / total - mean * mean, 0)), np.float32)


def _grown(blocks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(blocks, 1)
    grown = blocks.copy()
    for y in range(3):
        for x in range(3):
            grown |= padded[y : y + blocks.shape[0], x : x + blocks.shape[1]]
    return grown
