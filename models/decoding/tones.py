"""Values of any range as 8 bits: floats, and integers of more than 8 bits. Pure; arrays in, arrays out.

A file of such values seldom says which range they stand for, so it is told from the values: 0..1 for floats of which
most keep within it, else the smallest range that files are written in (8, 10, 12 or 16 bits) that holds them all, of
signed ones also the positive half of theirs. Floats that reach a little over an end are cut off there, as highlights
and the traces of resampling are, and so are single ones far from all others. Negative values and larger ones (heights,
exposures) are spread from the smallest to the largest. Infinities, NaN and a value that means "no data" have no part in
it.
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
# Of a range: how far floats may reach over its ends. Those that reach below it fill half of it at least.
OVERSHOOT, UNDERSHOOT, FILLED = 0.25, 0.1, 0.5
# Of floats at either end, in per cent: those that may stand apart from the rest.
OUTLIERS = 0.1
# A part of all values tells what is usual among them.
SAMPLE = 2**18
TINY = float(np.finfo(np.float64).tiny)
# Looked at together, so that a picture of a hundred megapixels takes no multiple of its own memory.
BLOCK = 2**18


def to_8_bit(values: npt.NDArray[np.generic], no_data: float | None = None) -> npt.NDArray[np.uint8]:
    """Scales values [...] of any numeric dtype to uint8 of the same shape; +inf becomes 255, NaN and -inf 0."""
    flat = values.reshape(-1)
    blocks = [slice(start, start + BLOCK) for start in range(0, flat.size, BLOCK)]
    scaled = np.zeros(flat.shape, dtype=np.uint8)
    found = _range(lambda: (_known(flat[block], no_data) for block in blocks))
    if found is not None:
        low, high = found
        if values.dtype.kind == "f":
            # An odd step is no multiple of a picture's width.
            begin, end = _ends_of_floats(low, high, _known(flat[:: flat.size // SAMPLE | 1], no_data))
        else:
            begin, end = _ends_of_integers(low, high, values.dtype)
        for block in blocks:
            scaled[block] = _scaled(flat[block], begin, max(end - begin, TINY), no_data)
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


def _ends_of_integers(low: float, high: float, dtype: np.dtype[np.generic]) -> tuple[float, float]:
    known = FULL_UNSIGNED if dtype.kind == "u" else FULL_SIGNED.get(dtype.itemsize, FULL)
    full = next((full for full in known if low >= 0 and high <= full), None)
    return (low, high) if full is None else (0.0, full)


def _median(values: npt.NDArray[np.float64]) -> float:
    # Of two that are nearly the greatest float the mean is infinite.
    with np.errstate(over="ignore"):
        return float(np.median(values))


def _ends_of_floats(low: float, high: float, sample: npt.NDArray[np.float64]) -> tuple[float, float]:
    if low >= 0 and high <= 1.0:
        return 0.0, 1.0
    usual = sample[(sample >= low) & (sample <= high)]
    if usual.size:
        near_low, near_high = (float(end) for end in np.percentile(usual, [OUTLIERS, 100 - OUTLIERS]))
        apart = 2.0 * max(near_high - near_low, TINY)
        low = near_low if near_low - low > apart else low
        high = near_high if high - near_high > apart else high
    seen = usual[usual != 0.0]
    if seen.size and low >= -UNDERSHOOT and 0.0 <= _median(seen) <= 1.0:
        return 0.0, 1.0
    full = next((full for full in FULL if high <= (1 + OVERSHOOT) * full), None)
    fits = full is not None and (low >= 0 or (low >= -UNDERSHOOT * full and high >= FILLED * full))
    return (0.0, full) if full is not None and fits else (low, high)


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
