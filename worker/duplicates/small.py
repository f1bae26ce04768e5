"""The small picture of an image by which two are compared: made at ingest, kept as the bytes of a JPEG."""

import io
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]

# The longer side of a kept one, and of that in which a coarse alignment is looked for.
SMALL_PX = 96
COARSE_PX = 24
QUALITY = 80
REDUCING_GAP = 1.5
# Of eight orientations those from this on are mirrored.
MIRRORED = 4


def small_jpeg(image: Image.Image) -> bytes:
    """An upright RGB image -> the bytes of a JPEG of it, its longer side SMALL_PX."""
    scale = SMALL_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    buffer = io.BytesIO()
    # Of 500 px takes .3 ms, and without the gap .9 (2026-11-30).
    resized = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
    resized.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


@dataclass(frozen=True)
class Small:
    """A small picture: luma and the two colour differences of JPEG, float32 [h, w] each, 0 to 255."""

    luma: Grey
    blue: Grey
    red: Grey
    # A picture is compared with many others.
    _templates: dict[tuple[float, tuple[int, ...]], Grey] = field(default_factory=dict, repr=False, compare=False)
    _deviations: dict[tuple[int, int], Grey] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, jpeg: bytes) -> "Small":
        """Opens what `small_jpeg` made."""
        with Image.open(io.BytesIO(jpeg)) as image:
            planes = np.asarray(image.convert("YCbCr"), np.float32)
        luma, blue, red = (np.ascontiguousarray(planes[..., plane]) for plane in range(3))
        return cls(luma, blue, red)

    @cached_property
    def coarse(self) -> Grey:
        """The luma, its longer side COARSE_PX."""
        return resized(self.luma, COARSE_PX / max(self.luma.shape))

    def templates(self, scale: float, orientations: tuple[int, ...]) -> Grey:
        """The coarse picture with its sides times `scale`, in orientations of one shape: float32 [n, h, w]."""
        key = (scale, orientations)
        if key not in self._templates:
            scaled = resized(self.coarse, scale)
            self._templates[key] = np.stack([oriented(scaled, orientation) for orientation in orientations])
        return self._templates[key]

    def window_deviations(self, height: int, width: int) -> Grey:
        """The standard deviation of each window of that size in the coarse picture, row by row: float32 [n]."""
        key = (height, width)
        if key not in self._deviations:
            rows = sliding_window_view(self.coarse, key).reshape(-1, height * width)
            mean = rows.mean(1)
            self._deviations[key] = np.sqrt(np.maximum((rows * rows).mean(1) - mean * mean, 1.0)).astype(np.float32)
        return self._deviations[key]


def resized(grey: Grey, scale: float) -> Grey:
    """A plane with both sides times `scale`, at least two pixels, antialiased: float32 [h, w]."""
    height, width = grey.shape
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    if size == (width, height):
        return grey
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR), np.float32)


def oriented(grey: Grey, orientation: int) -> Grey:
    """One of the eight ways to lay a picture: `orientation % 4` quarter turns, from 4 on mirrored before."""
    laid = grey[:, ::-1] if orientation >= MIRRORED else grey
    return np.ascontiguousarray(np.rot90(laid, orientation % 4))
