"""Refines where a part lies in a whole, and measures how well the two agree there, block by block.

The inverse compositional method of Baker and Matthews ("Lucas-Kanade 20 years on", 2004) for scale and shift on each
axis and for gain and offset of the light, with Tukey's weights, so that text over a picture does not draw it away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.duplicates.alignment import Place
from worker.duplicates.small import Grey, Small, oriented, resized

STEPS = 8
# Of Tukey's weights, in units of the residuals' median absolute value (4.685 / .6745 for normal ones).
TUKEY = 6.95
# Grey levels: what is left of JPEG and resampling in small pictures of one photo.
NOISE = 3.0
# A picture with fewer pixels on a side has no gradients.
LEAST_PX = 4
# So much of the part must be seen in the whole.
LEAST_SEEN = 0.25
# After so many steps the median error of copies is a few grey levels, of other pictures many.
HOPELESS_AFTER, HOPELESS = 4, 12.0
LEAST_SCALE, LEAST_GAIN = 0.62, 0.4
STILL_PX = 0.02
# What is sampled may lie half a pixel outside.
HALF_PX = 0.6


@dataclass(frozen=True)
class Warp:
    """Pixel (x, y) of the part lies at (scale_x x + left, scale_y y + top) of the whole."""

    scale_x: float
    left: float
    scale_y: float
    top: float


@dataclass(frozen=True)
class Aligned:
    """Part and whole on the part's grid, the part with the light of the whole; where `valid`, both have a pixel."""

    warp: Warp
    gain: float
    offset: float
    part: Grey
    whole: Grey
    valid: NDArray[np.bool_]


def align(place: Place, a: Small, b: Small) -> tuple[Small, Small, Aligned] | None:
    """Part, whole, and how they lie; None if what was found is no place of that picture."""
    part, whole = (b, a) if place.swapped else (a, b)
    scale = place.scale
    template = resized(oriented(part.luma, place.orientation), scale)
    ratio_x, ratio_y = whole.luma.shape[1] / whole.coarse.shape[1], whole.luma.shape[0] / whole.coarse.shape[0]
    warp = Warp(1.0, place.left * ratio_x, 1.0, place.top * ratio_y)
    half = Warp(1.0, warp.left / 2, 1.0, warp.top / 2)
    found = _descend(resized(template, 0.5), resized(whole.luma, 0.5), half)
    if found is None:
        return None
    warp = found.warp
    found = _descend(template, whole.luma, Warp(warp.scale_x, 2 * warp.left, warp.scale_y, 2 * warp.top))
    return None if found is None else (part, whole, found)


def laid_over(a: Small, b: Small) -> Aligned | None:
    """Both as they are, only the light made equal; None if their shapes differ."""
    if a.luma.shape != b.luma.shape or min(a.luma.shape) < LEAST_PX:
        return None
    gain, offset = _light(a.luma, b.luma)
    if not _is_likely(Warp(1, 0, 1, 0), gain):
        return None
    return Aligned(Warp(1, 0, 1, 0), gain, offset, gain * a.luma + offset, b.luma, np.ones(a.luma.shape, bool))


def sampled(plane: Grey, warp: Warp, shape: tuple[int, int]) -> tuple[Grey, NDArray[np.bool_]]:
    """The plane at the warped pixels of a grid, bilinear, and which of them lie within it (half a pixel around)."""
    xs = warp.scale_x * np.arange(shape[1], dtype=np.float32) + np.float32(warp.left)
    ys = warp.scale_y * np.arange(shape[0], dtype=np.float32) + np.float32(warp.top)
    height, width = plane.shape
    below, right = height - 1 + HALF_PX, width - 1 + HALF_PX
    valid = ((ys > -HALF_PX) & (ys < below))[:, None] & ((xs > -HALF_PX) & (xs < right))[None, :]
    xs, ys = np.clip(xs, 0, width - 1), np.clip(ys, 0, height - 1)
    left, top = np.minimum(xs.astype(int), width - 2), np.minimum(ys.astype(int), height - 2)
    fx, fy = (xs - left).astype(np.float32)[None, :], (ys - top).astype(np.float32)[:, None]
    upper, lower = plane[top], plane[top + 1]
    upper = upper[:, left] * (1 - fx) + upper[:, left + 1] * fx
    lower = lower[:, left] * (1 - fx) + lower[:, left + 1] * fx
    return upper * (1 - fy) + lower * fy, valid


def _descend(template: Grey, whole: Grey, warp: Warp) -> Aligned | None:
    """The warp that explains most, from one that is nearly right; None if nothing does."""
    height, width = template.shape
    if min(*template.shape, *whole.shape) < LEAST_PX:
        return None
    columns, around = _columns(template), ((width - 1) / 2, (height - 1) / 2)
    mean = float(template.mean())
    gain, offset = 1.0, 0.0
    for step in range(STEPS):
        seen, valid = sampled(whole, warp, template.shape)
        if valid.sum() < LEAST_SEEN * valid.size:
            return None
        if step == 0:
            gain, offset = _light(template[valid], seen[valid])
        error = (seen - (gain * template + offset)).ravel()
        inside = valid.ravel()
        median = float(np.median(np.abs(error[inside])))
        if step >= HOPELESS_AFTER and median > HOPELESS:
            return None
        change = _solved(columns, error, inside, gain, max(NOISE, median))
        warp, moved = _moved(warp, change, around)
        gain, offset = gain + change[4], offset + change[5] - change[4] * mean
        if not _is_likely(warp, gain):
            return None
        if moved < STILL_PX:
            break
    seen, valid = sampled(whole, warp, template.shape)
    if valid.sum() < LEAST_SEEN * valid.size:
        return None
    return Aligned(warp, gain, offset, gain * template + offset, seen, valid)


def _is_likely(warp: Warp, gain: float) -> bool:
    scales = (warp.scale_x, warp.scale_y)
    return min(scales) > LEAST_SCALE and max(scales) < 1 / LEAST_SCALE and LEAST_GAIN < gain < 1 / LEAST_GAIN


def _columns(template: Grey) -> Grey:
    """How each pixel changes with scale and shift on x, then on y, then with gain and offset: [h w, 6]."""
    height, width = template.shape
    down, right = np.gradient(template)
    x = np.arange(width, dtype=np.float32)[None, :] - (width - 1) / 2
    y = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
    light = [template - template.mean(), np.ones_like(template)]
    return np.stack([right * x, right, down * y, down, *light], -1).reshape(-1, 6).astype(np.float32)


def _light(template: Grey, seen: Grey) -> tuple[float, float]:
    """The gain by least squares and the offset by the median: where to begin."""
    spread = template - template.mean()
    gain = max(0.2, float((spread * (seen - seen.mean())).sum() / max(1e-3, float((spread * spread).sum()))))
    return gain, float(np.median(seen - gain * template))


def _solved(
    columns: Grey, error: Grey, inside: NDArray[np.bool_], gain: float, spread: float
) -> tuple[float, float, float, float, float, float]:
    """One step of least squares with Tukey's weights: changes of scale and shift on x and y, of gain and offset."""
    weight = np.clip(1 - (error / (TUKEY * spread)) ** 2, 0, None) ** 2 * inside
    scaled = columns * np.array([gain] * 4 + [1.0, 1.0], np.float32)
    weighted = scaled * weight[:, None]
    # Never singular: a flat picture has no gradients.
    hessian = weighted.T @ scaled + np.diag([1e-2] * 4 + [1e-6] * 2)
    scale_x, left, scale_y, top, more, light = (float(one) for one in np.linalg.solve(hessian, weighted.T @ error))
    return scale_x, left, scale_y, top, more, light


def _moved(warp: Warp, change: tuple[float, ...], around: tuple[float, float]) -> tuple[Warp, float]:
    """The warp composed with the inverse of the change, and by how many pixels at most."""
    (scale_x, left, scale_y, top, *_), (middle_x, middle_y) = change, around
    new = Warp(
        warp.scale_x * (1 - scale_x),
        warp.left + warp.scale_x * (scale_x * middle_x - left),
        warp.scale_y * (1 - scale_y),
        warp.top + warp.scale_y * (scale_y * middle_y - top),
    )
    return new, max(abs(left), abs(top), abs(scale_x) * middle_x, abs(scale_y) * middle_y)
