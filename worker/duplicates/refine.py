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
BLOCK_PX = 8


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


def sampled(plane: Grey, warp: Warp, shape: tuple[int, int]) -> tuple[Grey, NDArray[np.bool_]]:
    """The plane at the warped pixels of a grid, bilinear, and which of them lie within it (half a pixel around)."""
    xs = warp.scale_x * np.arange(shape[1], dtype=np.float32) + np.float32(warp.left)
    ys = warp.scale_y * np.arange(shape[0], dtype=np.float32) + np.float32(warp.top)
    height, width = plane.shape
    valid = ((ys > -0.6) & (ys < height - 0.4))[:, None] & ((xs > -0.6) & (xs < width - 0.4))[None, :]
    xs, ys = np.clip(xs, 0, width - 1), np.clip(ys, 0, height - 1)
    left, top = np.minimum(xs.astype(int), width - 2), np.minimum(ys.astype(int), height - 2)
    fx, fy = (xs - left).astype(np.float32)[None, :], (ys - top).astype(np.float32)[:, None]
    upper, lower = plane[top], plane[top + 1]
    upper = upper[:, left] * (1 - fx) + upper[:, left + 1] * fx
    lower = lower[:, left] * (1 - fx) + lower[:, left + 1] * fx
    return upper * (1 - fy) + lower * fy, valid


def _descend(template: Grey, whole: Grey, warp: Warp) -> Aligned | None:
    shape = template.shape
    if min(shape) < 4 or min(whole.shape) < 4:  # noqa: PLR2004 (no gradient below)
        return None
    gy, gx = np.gradient(template)
    x = np.arange(shape[1], dtype=np.float32)[None, :] - (shape[1] - 1) / 2
    y = np.arange(shape[0], dtype=np.float32)[:, None] - (shape[0] - 1) / 2
    columns = np.stack([gx * x, gx, gy * y, gy, template - template.mean(), np.ones(shape, np.float32)], -1).reshape(
        -1, 6
    )
    gain, offset = 1.0, 0.0
    cx, cy = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    first = True
    for _ in range(STEPS):
        seen, valid = sampled(whole, warp, shape)
        if valid.sum() < 0.25 * valid.size:
            return None
        if first:
            a, b = template[valid], seen[valid]
            gain = max(0.2, float(((a - a.mean()) * (b - b.mean())).sum() / max(1e-3, ((a - a.mean()) ** 2).sum())))
            offset = float(np.median(b - gain * a))
            first = False
        error = (seen - (gain * template + offset)).ravel()
        inside = valid.ravel()
        spread = max(NOISE, float(np.median(np.abs(error[inside]))))
        weight = np.clip(1 - (error / (TUKEY * spread)) ** 2, 0, None) ** 2 * inside
        scaled = columns * np.array([gain] * 4 + [1.0, 1.0], np.float32)
        weighted = scaled * weight[:, None]
        hessian = weighted.T @ scaled + np.diag([1e-2] * 4 + [1e-6] * 2)
        step = np.linalg.solve(hessian, weighted.T @ error)
        # I(W(x)) - gT - o = g T_x (ds x + dl) + ..., so the template has to move by that: composed with its inverse.
        dsx, dlx, dsy, dly, dgain, doffset = (float(v) for v in step)
        # In coordinates of the corner: x + ds (x - c) + dl.
        sx, lx = 1 - dsx, dsx * cx - dlx
        sy, ly = 1 - dsy, dsy * cy - dly
        warp = Warp(warp.scale_x * sx, warp.left + warp.scale_x * lx, warp.scale_y * sy, warp.top + warp.scale_y * ly)
        gain, offset = gain + dgain, offset + doffset - dgain * float(template.mean())
        if not (0.6 < warp.scale_x < 1.6 and 0.6 < warp.scale_y < 1.6 and 0.05 < gain < 20):  # noqa: PLR2004
            return None
        if max(abs(dlx), abs(dly), abs(dsx) * cx, abs(dsy) * cy) < 0.02:  # noqa: PLR2004 (pixels)
            break
    seen, valid = sampled(whole, warp, shape)
    if valid.sum() < 0.25 * valid.size:
        return None
    return Aligned(warp, gain, offset, gain * template + offset, seen, valid)
