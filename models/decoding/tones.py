"""Values of any range as 8 bits: floats, and integers of more than 8 bits. Pure; arrays in, arrays out.

A file of such values seldom says which range they stand for, so it is told from the values: 0..1 for floats that keep
within it, else the smallest range that files are written in (8, 10, 12 or 16 bits) that holds them all. Signed values
and larger ones (heights, exposures) are spread from the smallest to the largest. Infinities, NaN and a value that means
"no data" have no part in it.
"""

import numpy as np
import numpy.typing as npt

FULL = (255.0, 1023.0, 4095.0, 65535.0)
FULL_UNSIGNED = (*FULL, 16777215.0, 4294967295.0)
# "No data" is one value, told so often and so far from all others: -9999, -3.4e38, 0 under a mountain.
NO_DATA_SHARE = 0.001


def to_8_bit(values: npt.NDArray[np.generic], no_data: float | None = None) -> npt.NDArray[np.uint8]:
    """Scales values [...] of any numeric dtype to uint8 of the same shape; +inf becomes 255, NaN and -inf 0."""
    exact = values.astype(np.float64)
    is_there = np.isfinite(exact)
    if no_data is not None:
        is_there &= exact != no_data
    known = exact[is_there]
    if known.size == 0:
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = _range(known)
    full = _full_range(low, high, kind=values.dtype.kind)
    begin, span = (0.0, full) if full is not None else (low, max(high - low, np.finfo(np.float64).tiny))
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.clip((exact - begin) * (255.0 / span), 0.0, 255.0)
    scaled[~is_there & ~np.isposinf(exact)] = 0.0
    return np.rint(np.nan_to_num(scaled, nan=0.0)).astype(np.uint8)


def _full_range(low: float, high: float, *, kind: str) -> float | None:
    if low < 0:
        return None
    if kind == "f" and high <= 1.0:
        return 1.0
    return next((full for full in (FULL_UNSIGNED if kind == "u" else FULL) if high <= full), None)


def _range(known: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Smallest and largest value without one at either end that stands for "no data"."""
    low, high = float(known.min()), float(known.max())
    for end in (low, high):
        is_end = known == end
        share = float(is_end.mean())
        if NO_DATA_SHARE <= share < 1.0:
            rest = known[~is_end]
            rest_low, rest_high = float(rest.min()), float(rest.max())
            gap = rest_low - end if end == low else end - rest_high
            if gap > 2.0 * max(rest_high - rest_low, np.finfo(np.float64).tiny):
                return rest_low, rest_high
    return low, high
