"""Opens image files: bytes in, model input out. Knows nothing of paths, queues or the index."""

import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError

from models.contract import ModelCard
from models.preprocess import decode_size, prepare
from worker.errors import Rejected

# Content decides, and only among these: Pillow has more decoders, and one of them (EPS) starts a program.
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "DIB"),
    *("ICO", "TGA", "PCX", "PPM", "SGI", "PSD", "DDS", "JPEG2000", "QOI"),
)
# What simplejpeg decodes as Pillow does; CMYK and what neither knows are left to Pillow.
JPEG_FORMATS, JPEG_MODES = frozenset({"JPEG", "MPO"}), frozenset({"RGB", "L"})
# It offers every eighth of the size, but 7/8 and 6/8 take longer than the whole, which libjpeg-turbo has in SIMD:
# 2.7, 2.2 and 1.6 ms for 0.5 MP (AMD EPYC, 2026-11-21).
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


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image: model input uint8 [H, W, 3], and what its payload says of it (size upright)."""

    pixels: npt.NDArray[np.uint8]
    format: str
    width_px: int
    height_px: int
    taken_at: str | None


def enable_formats() -> None:
    """Registers HEIC with Pillow and leaves the size limit to `open_picture`, which knows the setting."""
    # Loads every decoder: naming formats that are not loaded yet raises KeyError for those found late.
    Image.init()
    pillow_heif.register_heif_opener(thumbnails=False)
    pillow_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None


def decode_image(blob: bytes, card: ModelCard, *, max_pixels: int) -> DecodedImage:
    """Decodes an image for the model of this card. Raises Rejected with a reason for people."""
    if not blob:
        raise Rejected("the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; the pixels are what counts here.
            warnings.simplefilter("ignore")
            return _open(blob, card, max_pixels)
    except Rejected:
        raise
    except UnidentifiedImageError:
        raise Rejected("it is not an image of a known format") from None
    except MemoryError:
        # There may be more memory when other processes have ended.
        raise Rejected("it needs more memory than there is", may_pass=True) from None
    except Exception as error:
        # Decoders raise anything on broken input: struct.error, IndexError, ...
        raise Rejected(_reason(error)) from error


def _open(blob: bytes, card: ModelCard, max_pixels: int) -> DecodedImage:
    with Image.open(io.BytesIO(blob), formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise Rejected(
                f"it has {width} x {height} pixels, the limit is {max_pixels / 1e6:g} million "
                f"(LOOKALIKE_MAX_IMAGE_PIXELS)"
            )
        if min(width, height) < 1:
            raise Rejected("it has no pixels")
        name = image.format or "unknown"
        # Only JPEG can: decodes at a fraction of the size, never below what the model needs.
        least = decode_size(image.size, card)
        small = _small_jpeg(blob, least) if image.format in JPEG_FORMATS and image.mode in JPEG_MODES else None
        if small is None:
            image.draft(None, least)
            image.load()
        # Asked after loading: a decoder that turned the image itself has reset the orientation by then.
        exif = image.getexif()
        turn = UPRIGHT.get(exif.get(ExifTags.Base.Orientation, 1))
        taken_at = _taken_at(exif)
        flat = _rgb(image) if small is None else small
    if turn in TURNS_ON_ITS_SIDE:
        width, height = height, width
    return DecodedImage(prepare(flat if turn is None else flat.transpose(turn), card), name, width, height, taken_at)


def _small_jpeg(blob: bytes, least: tuple[int, int]) -> Image.Image | None:
    """The JPEG as RGB of at least this (width, height); None if there is anything wrong with it.

    Then Pillow, which forgives more, says what. With its sum of header and pixels it is 1.0 (12 MP) to 1.4 times
    (1 MP at 224 px) as quick as Pillow's `draft`, for the same embedding (docs/decisions/0009-speed.md).
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


def _taken_at(exif: Image.Exif) -> str | None:
    """DateTimeOriginal in ISO 8601, without a zone as most cameras write it; None if absent or nonsense."""
    try:
        details: dict[int, Any] = exif.get_ifd(ExifTags.IFD.Exif)
        text = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007
    except Exception:  # noqa: BLE001 - EXIF of any kind of brokenness; a date is not worth an image
        return None


def _reason(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower() or "unexpected end" in text.lower() or isinstance(error, EOFError):
        return "the file is incomplete: it ends before the image does"
    return f"the image is broken ({text[:200]})"
