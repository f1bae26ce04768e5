"""Prepares the bytes of a query image: small ones are sent unchanged, large JPEGs scaled down."""

import hashlib
import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from lookalike.errors import Refused

# Smaller queries are sent unchanged: 272 kB take 1.2 ms into a Redis on the same machine and out of it. Most photos
# of phones are larger, and may take long over a network.
SCALE_ABOVE_BYTES = 1024 * 1024
# Three times the largest input of the models in models/ (224 px). Scaled by halves alone, which libjpeg-turbo does
# while it decodes: half the time, and the embedding changes no more (docs/decisions/0009-speed.md).
LEAST_SHORT_SIDE_PX = 672
JPEG_QUALITY = 92
# About 300 MB of coefficients.
LARGEST_PROGRESSIVE_PX = 100_000_000


# Formats that Pillow has loaded and whose size is what a worker says; orientations of a picture on its side.
SIZED = ("JPEG", "PNG", "GIF", "BMP")
ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class QueryImage:
    """What is sent for an image: its bytes, and the box in fractions where there is one.

    `sha256` is that of the file if these bytes are a smaller copy of it and it was asked for. `box_px` is left only if
    the size of the picture is not known here.
    """

    blob: bytes
    sha256: str | None = None
    box: tuple[float, ...] | None = None
    box_px: tuple[int, ...] | None = None


def query_image(
    image: Path | bytes,
    *,
    max_bytes: int,
    scaled: bool = True,
    hashed: bool = False,
    box: tuple[float, ...] | None = None,
    box_px: tuple[int, ...] | None = None,
) -> QueryImage:
    """What to send for an image file or bytes. Raises Refused if it is too much, cannot be read, or has no such box.

    The part in the box keeps as many pixels as a whole image would.
    """
    original = _read(image)
    if box_px is not None and (size := _upright_size(original)) is not None:
        box, box_px = _fractions(box_px, size), None
    blob = original
    if scaled and box_px is None and len(original) > SCALE_ABOVE_BYTES:
        share = 1.0 if box is None else min(box[2] - box[0], box[3] - box[1])
        blob = _scaled(original, share) or original
    if not blob:
        raise Refused("The query image is empty.")
    if len(blob) > max_bytes:
        raise Refused(f"The search cannot be sent: {too_many_bytes(len(blob), max_bytes)}.")
    is_copy = hashed and blob is not original
    return QueryImage(blob, hashlib.sha256(original).hexdigest() if is_copy else None, box, box_px)


def _read(image: Path | bytes) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise Refused(f"The query {str(image)!r} cannot be read ({error.strerror}).") from error


def _upright_size(blob: bytes) -> tuple[int, int] | None:
    """Width and height of the upright picture; None if only a worker can tell."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(blob), formats=SIZED) as image:
            if any(name.startswith("Raw profile type") for name in map(str, image.info)):
                # EXIF in an older form, which the worker reads.
                return None
            width, height = image.size
            is_turned = image.getexif().get(ExifTags.Base.Orientation) in ON_ITS_SIDE
            return (height, width) if is_turned else (width, height)
    except Exception:  # noqa: BLE001 - a decoder meets broken bytes with whatever comes to its mind
        return None


def _fractions(box_px: Sequence[int], size: tuple[int, int]) -> tuple[float, ...]:
    """The box in fractions of the picture. Raises Refused for one outside of it."""
    width, height = size
    left, top, right, bottom = box_px
    if right > width or bottom > height:
        raise Refused(f"The box {[*box_px]} reaches outside the picture, which is {width} x {height} pixels.")
    return left / width, top / height, right / width, bottom / height


def too_many_bytes(found: int, most: int) -> str:
    """The reason why images are too large to be sent, all of one search together."""
    return f"the images of the query have {found} bytes, at most {most} are allowed (LOOKALIKE_MAX_QUERY_BYTES)"


def _scaled(blob: bytes, share: float) -> bytes | None:
    """The image as a smaller upright JPEG; None if it is no JPEG that can be opened, or small already.

    Only that share of its sides is looked at.
    """
    try:
        # Not by Image.open, which warns of many pixels or refuses them: what is decoded has few.
        with warnings.catch_warnings(action="ignore"), JpegImageFile(io.BytesIO(blob)) as image:
            if image.mode == "CMYK" or _takes_memory(image):
                # Colours of inks are the worker's to convert, and its memory has a limit.
                return None
            whole = image.size
            scale = LEAST_SHORT_SIDE_PX / (min(whole) * share)
            image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
            if image.size == whole:
                return None
            upright = ImageOps.exif_transpose(image.convert("RGB"))
            out = io.BytesIO()
            # With the profile: the worker converts by it, as it did with what is in the index.
            upright.save(out, "JPEG", quality=JPEG_QUALITY, icc_profile=image.info.get("icc_profile"))
            return out.getvalue()
    except Exception:  # noqa: BLE001 - a decoder meets broken bytes with whatever comes to its mind
        # Sent unchanged: the worker knows more formats, and reports the reason if it cannot decode it either.
        return None


def _takes_memory(image: JpegImageFile) -> bool:
    """Of a progressive JPEG all coefficients are in memory, at whatever size it is decoded."""
    return bool(image.info.get("progressive")) and image.width * image.height > LARGEST_PROGRESSIVE_PX
