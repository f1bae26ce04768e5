"""Decodes image files to upright RGB: for the worker, and for measuring models, which so see the same pixels.

Knows nothing of paths, limits or reasons: the worker checks an opened image before it is decoded, and tells why a file
was rejected (worker/decoder.py).
"""

import io
from functools import cache

import numpy as np
import numpy.typing as npt
import pillow_heif
import simplejpeg
from PIL import ExifTags, Image

from models.preprocess import Recipe, decode_size

# Content decides, and only among these: Pillow has more decoders, and one of them (EPS) starts a program.
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "DIB"),
    *("ICO", "TGA", "PCX", "PPM", "SGI", "PSD", "DDS", "JPEG2000", "QOI"),
)
# What simplejpeg decodes as Pillow does; CMYK and what neither knows are left to Pillow.
JPEG_FORMATS, JPEG_MODES = frozenset({"JPEG", "MPO"}), frozenset({"RGB", "L"})
# simplejpeg offers every eighth of the size, but 7/8 and 6/8 take longer than the whole, which libjpeg-turbo has in
# SIMD: 2.7, 2.2 and 1.6 ms for 0.5 MP (AMD EPYC, 2026-11-21).
LEAST_SHRINKING = 1.5
RGB_WHITE = (255, 255, 255)
# EXIF 2.32, tag 0x0112: what must be done to an image of that orientation to see it upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNS_ON_ITS_SIDE = {UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}


@cache
def register_formats() -> None:
    """Loads every decoder of Pillow and registers HEIC with it; needed before `open_image`."""
    # Naming formats that are not loaded yet raises KeyError for those that Pillow finds late.
    Image.init()
    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1


def open_image(blob: bytes) -> Image.Image:
    """Reads the head of an image file. Raises UnidentifiedImageError, or what a decoder raises on broken bytes."""
    return Image.open(io.BytesIO(blob), formats=FORMATS)


def decode_upright(image: Image.Image, blob: bytes, recipe: Recipe | None) -> tuple[Image.Image, tuple[int, int]]:
    """Decodes an opened image of these bytes to upright RGB; returns it and the (width, height) of the whole, upright.

    With a recipe a JPEG is decoded at a fraction of its size, no smaller than the recipe needs.
    """
    width, height = image.size
    least = image.size if recipe is None else decode_size(image.size, recipe)
    small = _small_jpeg(blob, least) if image.format in JPEG_FORMATS and image.mode in JPEG_MODES else None
    if small is None:
        image.draft(None, least)
        image.load()
    # Read after loading: a decoder that turned the image itself has reset the orientation by then.
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    flat = _rgb(image) if small is None else small
    if turn in TURNS_ON_ITS_SIDE:
        width, height = height, width
    return flat if turn is None else flat.transpose(turn), (width, height)


def _small_jpeg(blob: bytes, least: tuple[int, int]) -> Image.Image | None:
    """The JPEG as RGB of at least this (width, height); None if anything is wrong with it.

    Pillow, which tolerates more, then says what. With its sum of header and pixels simplejpeg is 1.0 (12 MP) to 1.4
    times (1 MP at 224 px) as quick as Pillow's `draft`, for the same embedding (docs/decisions/0009-speed.md).
    """
    width, height = least
    try:
        pixels = simplejpeg.decode_jpeg(
            blob, colorspace="RGB", min_width=width, min_height=height, min_factor=LEAST_SHRINKING
        )
    except ValueError:
        return None
    return Image.fromarray(pixels)


def _rgb(image: Image.Image) -> Image.Image:
    """The image as RGB: transparency on white, 16 bit and float scaled to 8."""
    if image.mode.startswith("I;16"):
        flat = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    elif image.mode in ("I", "F"):
        flat = Image.fromarray(_to_8_bit(np.asarray(image, dtype=np.float64))).convert("RGB")
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        flat = Image.new("RGB", image.size, RGB_WHITE)
        flat.paste(layer, mask=layer.getchannel("A"))
    elif image.mode == "LAB":
        flat = image.getchannel("L").convert("RGB")
    else:
        flat = image.convert("RGB")
    return flat


def _to_8_bit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Full range for 8 and 16 bit integers by their largest value; the range that is there for the rest."""
    finite = np.nan_to_num(values)
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and high <= 255:  # noqa: PLR2004 - what 8 bits hold
        scaled = finite
    elif low >= 0 and high <= 65535:  # noqa: PLR2004 - what 16 bits hold
        scaled = finite / 257
    else:
        scaled = (finite - low) * (255 / max(high - low, 1e-12))
    return scaled.astype(np.uint8)
