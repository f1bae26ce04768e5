"""The ways to open an image file, each tried when those before it failed. Joins the modules of its folder."""

import io
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import numpy as np
import pi_heif
import simplejpeg
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from models.decoding.colour import to_srgb
from models.decoding.deep_png import deep_colours
from models.decoding.exif import UPRIGHT, read_exif
from models.decoding.ground import on_ground
from models.decoding.jpeg2000 import jpeg2000_profile
from models.decoding.naming import JXL
from models.decoding.raw import CutOff, is_raw, open_raw
from models.decoding.scientific import ORIENTATION, is_scientific, no_data_of, open_tiff
from models.decoding.side_data import without_side_data
from models.decoding.tiff_tags import directories, is_tiff, picture_of, with_first
from models.decoding.tones import to_8_bit
from models.preprocess import Recipe, decode_size

# Raised by whatever changes pixels: vectors of two revisions do not compare. 2: colour profiles, ranges of values, the
# ground of transparent pictures, RAW, the largest picture of a TIFF. 3: ranges of 16-bit colours, planes and predictors
# of TIFFs, profiles of grey JPEGs, of JPEG 2000 and of float TIFFs.
DECODER_REVISION = "3"
# Content decides, and only among these: Pillow has more decoders, and one of them (EPS) starts a program.
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "DIB"),
    *("ICO", "TGA", "PCX", "PPM", "SGI", "PSD", "DDS", "JPEG2000", "QOI", JXL),
)
# Turned by their decoders, which leave the EXIF of before.
TURNED_ALREADY = frozenset({JXL})
JPEG_BEGINS = b"\xff\xd8\xff"
# What simplejpeg decodes as Pillow does; CMYK and what neither knows are left to Pillow.
JPEG_FORMATS = frozenset({"JPEG", "MPO"})
# By Pillow's mode: what simplejpeg delivers, and what Pillow calls that. Pillow keeps a pixel in four bytes, so RGBX is
# copied as it is: 20 us for 460 x 306 pixels, where taking up RGB took 54 (AMD EPYC, 2026-11-29).
JPEG_MODES = {"RGB": ("RGBX", "RGBX"), "L": ("GRAY", "L")}
# simplejpeg offers every eighth of the size, but 7/8 and 6/8 take longer than the whole, which libjpeg-turbo has in
# SIMD: 2.7, 2.2 and 1.6 ms for 0.5 MP (AMD EPYC, 2026-11-21).
LEAST_SHRINKING = 1.5
# A JPEG is decoded at an eighth of its sides at best.
JPEG_SHRINKING = 8
COEFFICIENT_BYTES = 2
JPEG_END = b"\xff\xd9"
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


class Way(Protocol):
    """One way to open the bytes of a file."""

    def __call__(self, blob: bytes, recipe: Recipe | None, limits: Limits, /) -> DecodedFile:
        """Raises whatever the decoder raises on these bytes."""


class TooLarge(Exception):
    """Decoding would pass a limit; `str(error)` says which in words for people. No other way helps."""


@cache
def register_formats() -> None:
    """Loads every decoder of Pillow and registers more with it; needed before `decode_file`."""
    # Naming formats that are not loaded yet raises KeyError for those that Pillow finds late.
    Image.init()
    pi_heif.register_heif_opener(thumbnails=False)
    pi_heif.options.DECODE_THREADS = 1
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
        for way, its_blob in _ways(blob):
            try:
                return way(its_blob, recipe, limits)
            except (TooLarge, MemoryError, CutOff):
                raise
            except Exception as error:  # noqa: BLE001
                # Decoders meet broken bytes with whatever comes to their mind: struct.error, IndexError, ...
                first = first or error
    assert first is not None  # noqa: S101 (there is always a way)
    raise first


def _ways(blob: bytes) -> Iterator[tuple[Way, bytes]]:
    """Each way to open it, with the bytes to give it."""
    if blob.startswith(JPEG_BEGINS):
        # Nearly all photos are JPEGs, and of those there is nothing to ask.
        yield _open, blob
    else:
        yield from _other_ways(blob)
    bare = without_side_data(blob)
    if bare is not None:
        yield _open, bare
    if blob.startswith(JPEG_BEGINS) and not blob.endswith(JPEG_END):
        # Some cameras leave out the end. A JPEG of which more is missing is none to the strict decoder.
        yield partial(_open, is_strict=True), (bare or blob) + JPEG_END
    if is_tiff(blob):
        yield _open_scientific, blob


def _other_ways(blob: bytes) -> Iterator[tuple[Way, bytes]]:
    if is_raw(blob):
        yield _open_raw, blob
    if is_scientific(blob):
        yield _open_scientific, blob
    pictures = directories(blob)
    picture = picture_of(pictures) if pictures else None
    if picture is None or picture is pictures[0]:
        yield _open, blob
    else:
        # It begins with a thumbnail, which may be all that says which way is up.
        orientation = 1 if ORIENTATION in picture.tags else pictures[0].number(ORIENTATION, 1)
        yield partial(_open, orientation=orientation), with_first(blob, picture)


def _open(
    blob: bytes, recipe: Recipe | None, limits: Limits, *, orientation: int = 1, is_strict: bool = False
) -> DecodedFile:
    """By Pillow, a JPEG by simplejpeg: that alone if strict. The orientation is for a file that tells none."""
    known = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(io.BytesIO(blob), formats=known) as image:
        size, name = image.size, image.format or "unknown"
        # Only JPEG can: decodes at a fraction of the size.
        least = size if recipe is None else decode_size(size, recipe)
        is_jpeg = name in JPEG_FORMATS
        _check_size(size, limits, shrinking=JPEG_SHRINKING if is_jpeg else 1)
        if isinstance(image, JpegImageFile):
            _check_coefficients(image, limits)
            # A recipe may want it whole.
            _check_size(least, limits)
        small = _small_jpeg(blob, least, image.mode) if is_jpeg and image.mode in JPEG_MODES else None
        if small is None:
            if is_strict:
                raise EOFError("the image is truncated")
            image.draft(None, least)
            _check_size(image.size, limits)
            image.load()
        # Read after loading: a decoder that turned the image itself has reset the orientation by then.
        exif = read_exif(image)
        turned = 1 if name in TURNED_ALREADY else exif.get(ExifTags.Base.Orientation, orientation)
        whole = (deep_colours(blob, image) or image) if name == "PNG" else image
        profile = image.info.get("icc_profile") or jpeg2000_profile(blob)
        flat = _rgb(whole if small is None else small, profile, no_data_of(image))
    return _upright(flat, turned, name, size, exif)


def _open_raw(blob: bytes, recipe: Recipe | None, limits: Limits) -> DecodedFile:
    """A camera's RAW file: its largest preview, or its own pixels at half the size."""
    found = open_raw(blob, recipe, check=lambda size: _check_size(size, limits))
    flat = _rgb(found.picture, found.picture.info.get("icc_profile"))
    return _upright(flat, found.orientation, "RAW", found.size, read_exif(found.picture))


def _open_scientific(blob: bytes, _recipe: Recipe | None, limits: Limits) -> DecodedFile:
    """A TIFF of values that Pillow does not know: floats and more than 8 bits."""
    found = open_tiff(blob, check=lambda size: _check_size(size, limits))
    flat = _rgb(found.picture, found.profile)
    return _upright(flat, found.orientation, "TIFF", found.size, Image.Exif())


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


def _small_jpeg(blob: bytes, least: tuple[int, int], mode: str) -> Image.Image | None:
    """The JPEG in its mode, RGB or L, of at least this (width, height); None if anything is wrong with it.

    Pillow, which tolerates more, then says what. With its sum of header and pixels simplejpeg is 1.0 (12 MP) to 1.4
    times (1 MP at 224 px) as quick as Pillow's `draft`, for the same embedding (docs/decisions/0009-speed.md).
    """
    colours, raw_mode = JPEG_MODES[mode]
    width, height = least
    try:
        pixels = simplejpeg.decode_jpeg(
            blob, colorspace=colours, min_width=width, min_height=height, min_factor=LEAST_SHRINKING
        )
    except ValueError:
        return None
    height, width, _ = pixels.shape
    return Image.frombytes(mode, (width, height), pixels, "raw", raw_mode)


def _rgb(image: Image.Image, profile: bytes | None, no_data: float | None = None) -> Image.Image:
    """The image as RGB in sRGB: transparency on a ground, 16 bit and float scaled to 8."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        image = Image.fromarray(to_8_bit(np.asarray(image), no_data))
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = on_ground(image.convert("RGBA"))
    elif image.mode in ("P", "1", "YCbCr"):
        image = image.convert("RGB")
    fitting = to_srgb(image, profile)
    return fitting if fitting.mode == "RGB" else fitting.convert("RGB")
