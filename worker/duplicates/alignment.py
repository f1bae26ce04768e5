"""Where one small picture lies in another: eight orientations, all scales and shifts coarsely, then to a part of a pixel.

The coarse search is normalised cross-correlation (Lewis, "Fast normalized cross-correlation", 1995) of whole pictures
of 24 pixels; what it finds is refined by the inverse compositional method of Baker and Matthews ("Lucas-Kanade 20
years on", 2004) for scale and shift on each axis.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from worker.duplicates.small import Grey, Small, oriented, resized

ORIENTATIONS = 8
# The sides of the part times these are its sides within the whole.
SCALES = (1.0, 0.92, 0.85, 0.78, 0.71, 0.65, 0.59, 0.54, 0.5, 0.45)
# Fewer pixels than this on a side tell nothing.
LEAST_PX = 6
# Of the coarse search so many places are refined.
KEPT = 4
LEAST_CORRELATION = 0.55
STEPS = 12


@dataclass(frozen=True)
class Place:
    """`part`, laid in `orientation`, lies in the whole: its sides times `scale`, its corner at (left, top).

    In pixels of the coarse pictures. `swapped`: the second picture is the part of the first.
    """

    correlation: float
    swapped: bool
    orientation: int
    scale: float
    left: int
    top: int


def places(a: Small, b: Small) -> list[Place]:
    """The likeliest places, best first, at most KEPT: of `a` in `b`, and of `b` in `a`."""
    found = [*_places(a.coarse, b.coarse, swapped=False), *_places(b.coarse, a.coarse, swapped=True)]
    return sorted(found, key=lambda place: -place.correlation)[:KEPT]


def _places(part: Grey, whole: Grey, *, swapped: bool) -> Iterator[Place]:
    """The best place for each scale and orientation."""
    for scale in SCALES:
        scaled = resized(part, scale)
        for turned in (False, True):
            # Those of one shape together: upright and on its head, mirrored or not; and lying on its side.
            orientations = [1, 3, 5, 7] if turned else [0, 2, 4, 6]
            templates = np.stack([oriented(scaled, orientation) for orientation in orientations])
            height, width = templates.shape[1:]
            # A part that is a pixel too large by rounding is cut.
            height, width = min(height, whole.shape[0]), min(width, whole.shape[1])
            if templates.shape[1] > height + 1 or templates.shape[2] > width + 1 or min(height, width) < LEAST_PX:
                continue
            flat = templates[:, :height, :width].reshape(len(orientations), -1)
            windows = sliding_window_view(whole, (height, width))
            rows = windows.reshape(-1, height * width)
            flat = flat - flat.mean(1, keepdims=True)
            mean = rows.mean(1)
            spread = np.sqrt(np.maximum((rows * rows).mean(1) - mean * mean, 1.0))
            # The mean of the window falls out, because that of the part is nought.
            deviation = np.maximum(flat.std(1), 1.0)
            correlations = (rows @ flat.T) / (height * width * spread[:, None] * deviation)
            best = correlations.argmax(0)
            for at, orientation in enumerate(orientations):
                top, left = divmod(int(best[at]), windows.shape[1])
                correlation = float(correlations[best[at], at])
                if correlation >= LEAST_CORRELATION:
                    yield Place(correlation, swapped, orientation, scale, left, top)
