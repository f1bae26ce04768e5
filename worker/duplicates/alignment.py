"""Where one small picture lies in another, coarsely: eight orientations, all scales and shifts.

This is normalised cross-correlation (Lewis, "Fast normalized cross-correlation", 1995) of whole pictures
of 24 pixels; worker/duplicates/refine.py refines what it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from worker.duplicates.small import Small

# On its feet and on its head, and lying on its side; from MIRRORED on mirrored.
UPRIGHT, LYING = (0, 2, 4, 6), (1, 3, 5, 7)
# The sides of the part times these are its sides within the whole.
SCALES = (1.0, 0.92, 0.85, 0.78, 0.71, 0.65, 0.59, 0.54, 0.5, 0.45)
# Fewer pixels than this on a side tell nothing.
LEAST_PX = 6
# Of the coarse search so many places are refined.
# Copies of 150 photos had at least .78 in their best place, unless text lay over them; the median of other pairs .68.
KEPT = 3
LEAST_CORRELATION = 0.72


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
    found = [*_places(a, b, swapped=False), *_places(b, a, swapped=True)]
    return sorted(found, key=lambda place: -place.correlation)[:KEPT]


def _places(part: Small, whole: Small, *, swapped: bool) -> Iterator[Place]:
    """The best place for each scale and orientation."""
    rows_px, columns_px = whole.coarse.shape
    for scale in SCALES:
        for orientations in (UPRIGHT, LYING):
            templates = part.templates(scale, orientations)
            # A part that is a pixel too large by rounding is cut.
            height, width = min(templates.shape[1], rows_px), min(templates.shape[2], columns_px)
            if max(templates.shape[1] - height, templates.shape[2] - width) > 1 or min(height, width) < LEAST_PX:
                continue
            flat = templates[:, :height, :width].reshape(len(orientations), -1)
            flat = flat - flat.mean(1, keepdims=True)
            rows = sliding_window_view(whole.coarse, (height, width)).reshape(-1, height * width)
            # The mean of a window falls out, because that of the part is nought.
            deviations = np.maximum(np.sqrt((flat * flat).mean(1)), 1.0)
            correlations = (rows @ flat.T) / (
                height * width * whole.window_deviations(height, width)[:, None] * deviations
            )
            best = correlations.argmax(0)
            for at, orientation in enumerate(orientations):
                correlation = float(correlations[best[at], at])
                if correlation >= LEAST_CORRELATION:
                    top, left = divmod(int(best[at]), columns_px - width + 1)
                    yield Place(correlation, swapped, orientation, scale, left, top)
