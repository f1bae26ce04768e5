"""Values of any range as 8 bits: floats, and integers of more than 8 bits. Pure; arrays in, arrays out.

A file of such values seldom says which range they stand for, so it is told from the values: 0..1 for floats that keep
within it, else the smallest range that files are written in (8, 10, 12 or 16 bits) that holds them all, of signed ones
also the positive half of theirs. Negative values and larger ones (heights, exposures) are spread from the smallest to
the largest. Infinities, NaN and a value that means "no data" have no part in it.
"""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

FULL = (255.0, 1023.0, 4095.0, 65535.0)
FULL_UNSIGNED = (*FULL, 16777215.0, 4294967295.0)
# By their bytes: signed values that keep to the positive half.
FULL_SIGNED = {2: (255.0, 1023.0, 4095.0, 32767.0), 4: (*FULL, 2147483647.0)}
# "No data" is one value, told so often and so far from all others: -9999, -3.4e38, 0 under a mountain.
NO_DATA_SHARE = 0.001
TINY = float(np.finfo(np.float64).tiny)
# Looked at together, so that a picture of a hundred megapixels takes no multiple of its own memory.
BLOCK = 2**18


def to_8_bit(values: npt.NDArray[np.generic], no_data: float | None = None) -> npt.NDArray[np.uint8]:
    """Scales values [...] of any numeric dtype to uint8 of the same shape; +inf becomes 255, NaN and -inf 0."""
    flat = values.reshape(-1)
    blocks = [slice(start, start + BLOCK) for start in range(0, flat.size, BLOCK)]
    found = _range(lambda: (_known(flat[block], no_data) for block in blocks))
    scaled = np.zeros(flat.shape, dtype=np.uint8)
    if found is not None:
        low, high = found
        full = _full_range(low, high, values.dtype)
        begin, span = (0.0, full) if full is not None else (low, max(high - low, TINY))
        for block in blocks:
            scaled[block] = _scaled(flat[block], begin, span, no_data)
    return scaled.reshape(values.shape)


def _scaled(values: npt.NDArray[np.generic], begin: float, span: float, no_data: float | None) -> npt.NDArray[np.uint8]:
    exact = values.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.clip((exact - begin) * (255.0 / span), 0.0, 255.0)
    is_nothing = np.isnan(exact) if no_data is None else np.isnan(exact) | (exact == no_data)
    scaled[is_nothing] = 0.0
    # Where all values are one the span is none.
    return np.rint(np.nan_to_num(scaled, nan=0.0)).astype(np.uint8)


def _known(values: npt.NDArray[np.generic], no_data: float | None) -> npt.NDArray[np.float64]:
    """Those that are finite and mean something."""
    exact = values.astype(np.float64)
    is_there = np.isfinite(exact)
    if no_data is not None:
        is_there &= exact != no_data
    return exact[is_there]


def _full_range(low: float, high: float, dtype: np.dtype[np.generic]) -> float | None:
    if low < 0:
        return None
    if dtype.kind == "f" and high <= 1.0:
        return 1.0
    signed = FULL_SIGNED.get(dtype.itemsize, FULL) if dtype.kind == "i" else FULL
    return next((full for full in (FULL_UNSIGNED if dtype.kind == "u" else signed) if high <= full), None)


def _range(blocks: Callable[[], Iterable[npt.NDArray[np.float64]]]) -> tuple[float, float] | None:
    """Smallest and largest value without one at either end that stands for "no data"; None of no values."""
    ends = [(block.min(), block.max()) for block in blocks() if block.size]
    if not ends:
        return None
    low, high = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    total, lowest, highest = 0, 0, 0
    # The nearest values within.
    inner_low, inner_high = high, low
    for block in blocks():
        total += block.size
        lowest += int((block == low).sum())
        highest += int((block == high).sum())
        inner_low = min(inner_low, float(block.min(where=block > low, initial=high)))
        inner_high = max(inner_high, float(block.max(where=block < high, initial=low)))
    if _stands_apart(lowest / total, inner_low - low, high - inner_low):
        return inner_low, high
    if _stands_apart(highest / total, high - inner_high, inner_high - low):
        return low, inner_high
    return low, high


def _stands_apart(share: float, gap: float, rest: float) -> bool:
    return NO_DATA_SHARE <= share < 1.0 and gap > 2.0 * max(rest, TINY)
