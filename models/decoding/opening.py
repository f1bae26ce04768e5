"""The ways to open an image file, each tried when those before it failed. Joins the modules of its folder."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pi_heif
import simplejpeg
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from models.decoding.colour import to_srgb
from models.decoding.exif import UPRIGHT, read_exif
from models.decoding.ground import on_ground
from models.decoding.naming import JXL
from models.decoding.raw import is_raw, open_raw
from models.decoding.scientific import is_tiff, is_wide, no_data_of, open_tiff
from models.decoding.side_data import without_side_data
from models.decoding.tones import to_8_bit
from models.preprocess import Recipe, decode_size

# Raised by whatever changes pixels: vectors of two revisions do not compare. 2: colour profiles, ranges of values, the
# ground of transparent pictures, RAW, the largest picture of a TIFF.
DECODER_REVISION = "2"
# Content decides, and only among these: Pillow has more decoders, and one of them (EPS) starts a program.
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "DIB"),
    *("ICO", "TGA", "PCX", "PPM", "SGI", "PSD", "DDS", "JPEG2000", "QOI", JXL),
)
# Turned by their decoders, which leave the EXIF of before.
TURNED_ALREADY = frozenset({JXL})
JPEG_BEGINS = b"\xff\xd8\xff"
# What simplejpeg decodes as Pillow does; CMYK and what neither knows are left to Pillow.
JPEG_FORMATS, JPEG_MODES = frozenset({"JPEG", "MPO"}), frozenset({"RGB", "L"})
# simplejpeg offers every eighth of the size, but 7/8 and 6/8 take longer than the whole, which libjpeg-turbo has in
# SIMD: 2.7, 2.2 and 1.6 ms for 0.5 MP (AMD EPYC, 2026-11-21).
LEAST_SHRINKING = 1.5
# A JPEG is decoded at an eighth of its sides at best.
JPEG_SHRINKING = 8
COEFFICIENT_BYTES = 2
# TIFF 6.0, NewSubfileType: a smaller version of another picture in the file.
NEW_SUBFILE_TYPE, REDUCED = 254, 1
# Of a file with hundreds of pages the first few tell.
MAX_PAGES = 16
TURNS_ON_ITS_SIDE = {UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}


@dataclass(frozen=True)
class Limits:
    """How many pixels are decoded of one image, and how much memory a progressive JPEG may take; None for any."""

    max_pixels: int | None = None
    max_memory_bytes: int | None = None


@dataclass(frozen=True)
class DecodedFile:
    """An image file: upright RGB, its format, the (width, height) of the whole, upright, and its EXIF."""

    image: Image.Image
    format: str
    size: tuple[int, int]
    exif: Image.Exif


class TooLarge(Exception):
    """Decoding would pass a limit; `str(error)` says which in words for people. No other way helps."""


@cache
def register_formats() -> None:
    """Loads every decoder of Pillow and registers more with it; needed before `decode_file`."""
    # Naming formats that are not loaded yet raises KeyError for those that Pillow finds late.
    Image.init()
    pi_heif.register_heif_opener(thumbnails=False)
    pi_heif.options.DECODE_THREADS = 1
    # It logs each odd tag; what counts becomes a reason.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with suppress(ImportError):
        # An extra: its wheels are not there for every platform.
        from pylibjxl import register_pillow  # noqa: PLC0415

        register_pillow()


def decode_file(blob: bytes, recipe: Recipe | None, limits: Limits = Limits()) -> DecodedFile:
    """Decodes an image file; with a recipe a JPEG at a fraction of its size, no smaller than the recipe needs.

    Raises TooLarge, MemoryError, or what the most likely decoder raised on these bytes.
    """
    first: Exception | None = None
    with warnings.catch_warnings():
        # Pillow warns of odd metadata; the pixels are what counts here.
        warnings.simplefilter("ignore")
        for way in _ways(blob):
            try:
                return way(blob, recipe, limits)
            except (TooLarge, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001
                # Decoders meet broken bytes with whatever comes to their mind: struct.error, IndexError, ...
                first = first or error
    assert first is not None  # noqa: S101 (there is always a way)
    raise first


def _ways(blob: bytes) -> Iterator[Callable[[bytes, Recipe | None, Limits], DecodedFile]]:
    if not blob.startswith(JPEG_BEGINS):
        # Nearly all photos are JPEGs, and of those there is nothing to ask.
        if is_raw(blob):
            yield _open_raw
        if is_wide(blob):
            yield _open_scientific
    yield _open
    bare = without_side_data(blob)
    if bare is not None:
        yield lambda _blob, recipe, limits: _open(bare, recipe, limits)
    if is_tiff(blob):
        yield _open_scientific


def _open(blob: bytes, recipe: Recipe | None, limits: Limits) -> DecodedFile:
    known = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(io.BytesIO(blob), formats=known) as image:
        _seek_largest(image)
        size, name = image.size, image.format or "unknown"
        # Only JPEG can: decodes at a fraction of the size.
        least = size if recipe is None else decode_size(size, recipe)
        is_jpeg = name in JPEG_FORMATS
        _check_size(size, limits, shrinking=JPEG_SHRINKING if is_jpeg else 1)
        if isinstance(image, JpegImageFile):
            _check_coefficients(image, limits)
            # A recipe may want it whole.
            _check_size(least, limits)
        small = _small_jpeg(blob, least) if is_jpeg and image.mode in JPEG_MODES else None
        if small is None:
            image.draft(None, least)
            _check_size(image.size, limits)
            image.load()
        # Read after loading: a decoder that turned the image itself has reset the orientation by then.
        exif = read_exif(image)
        orientation = 1 if name in TURNED_ALREADY else exif.get(ExifTags.Base.Orientation, 1)
        flat = _rgb(image if small is None else small, image.info, no_data_of(image))
    return _upright(flat, orientation, name, size, exif)


def _open_raw(blob: bytes, recipe: Recipe | None, limits: Limits) -> DecodedFile:
    """A camera's RAW file: its largest preview, or its own pixels at half the size."""
    found = open_raw(blob, recipe)
    _check_size(found.size, limits)
    flat = _rgb(found.picture, found.picture.info, None)
    return _upright(flat, found.orientation, "RAW", found.size, read_exif(found.picture))


def _open_scientific(blob: bytes, _recipe: Recipe | None, limits: Limits) -> DecodedFile:
    """A TIFF of values that Pillow does not know: floats, doubles and halves, one or three bands."""
    values, orientation, size = open_tiff(blob, check=lambda size: _check_size(size, limits))
    return _upright(Image.fromarray(values).convert("RGB"), orientation, "TIFF", size, Image.Exif())


def _upright(flat: Image.Image, orientation: int, name: str, size: tuple[int, int], exif: Image.Exif) -> DecodedFile:
    turn = UPRIGHT.get(orientation)
    if turn is None:
        return DecodedFile(flat, name, size, exif)
    width, height = size
    return DecodedFile(flat.transpose(turn), name, (height, width) if turn in TURNS_ON_ITS_SIDE else size, exif)


def _check_size(size: tuple[int, int], limits: Limits, *, shrinking: int = 1) -> None:
    """Raises TooLarge for more pixels than may be decoded, at that fraction of both sides, ValueError for none."""
    width, height = size
    if limits.max_pixels is not None and width * height > limits.max_pixels * shrinking**2:
        raise TooLarge(
            f"it has {width} x {height} pixels, the limit is {limits.max_pixels / 1e6:g} million "
            "(LOOKALIKE_MAX_IMAGE_PIXELS)"
        )
    if min(width, height) < 1:
        raise TooLarge("it has no pixels")


def _check_coefficients(image: JpegImageFile, limits: Limits) -> None:
    """Raises TooLarge for a progressive JPEG whose coefficients, 16 bits each, do not fit into memory."""
    if limits.max_memory_bytes is None or not image.info.get("progressive"):
        return
    sampling = [(across, down) for _, across, down, _ in image.layer]
    most_across, most_down = max(across for across, _ in sampling), max(down for _, down in sampling)
    planes = sum(across * down / (most_across * most_down) for across, down in sampling)
    needed = int(image.size[0] * image.size[1] * planes * COEFFICIENT_BYTES)
    if needed > limits.max_memory_bytes:
        raise TooLarge(
            f"it is a progressive JPEG of {image.size[0]} x {image.size[1]} pixels, which takes "
            f"{needed / 2**20:.0f} MiB to decode (LOOKALIKE_MAX_WORKER_MIB)"
        )


def _seek_largest(image: Image.Image) -> None:
    """Goes to the largest picture of a TIFF that begins with a thumbnail of it."""
    tags = getattr(image, "tag_v2", {})
    if image.format != "TIFF" or not int(tags.get(NEW_SUBFILE_TYPE, 0)) & REDUCED:
        return
    sizes = {}
    for page in range(min(getattr(image, "n_frames", 1), MAX_PAGES)):
        image.seek(page)
        sizes[page] = image.size[0] * image.size[1]
    image.seek(max(sizes, key=lambda page: sizes[page]))


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


def _rgb(image: Image.Image, info: dict[Any, Any], no_data: float | None) -> Image.Image:
    """The image as RGB in sRGB: transparency on a ground, 16 bit and float scaled to 8."""
    profile = info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = Image.fromarray(to_8_bit(np.asarray(image), no_data))
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = on_ground(image.convert("RGBA"))
    elif image.mode in ("P", "1", "YCbCr"):
        image = image.convert("RGB")
    fitting = to_srgb(image, profile)
    if fitting.mode == "LAB":
        fitting = fitting.getchannel("L")
    return fitting if fitting.mode == "RGB" else fitting.convert("RGB")
