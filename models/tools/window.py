"""The window through which the descriptor for copies sees a picture: more of its middle than of its borders."""

import numpy as np
from numpy.typing import NDArray

# In halves of a side. What is left of a picture that was cropped is mostly its middle, and frames lie at its borders.
# What other windows find: docs/decisions/0004-model.md.
DEVIATION = 0.45
WINDOW = "copy_head.window"  # its name among the weights
STRIDE = 16  # px of the input for each place of that stage's map


def map_side(px: int) -> int:
    """Places along a side of the map, for an input of `px`."""
    return -(-px // STRIDE)


def centre_window(height: int, width: int, deviation: float = DEVIATION) -> NDArray[np.float32]:
    """The share of each place of a map, a Gaussian around its middle: float32 [height, width], its sum is 1."""
    rows, columns = (
        np.exp(-(((2 * np.arange(side) + 1) / side - 1) ** 2) / (2 * deviation**2)) for side in (height, width)
    )
    window = rows[:, np.newaxis] * columns
    return np.asarray(window / window.sum(), dtype=np.float32)
