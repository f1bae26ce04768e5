"""Prepares the bytes of a query image: small ones are sent unchanged, large JPEGs scaled down."""

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import ImageOps
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


def query_bytes(
    image: Path | bytes, *, max_bytes: int, scaled: bool = True, box: Sequence[float] | None = None
) -> bytes:
    """The bytes to send for an image file or bytes. Raises Refused if they are too many or cannot be read.

    The part in `box` keeps as many pixels as a whole image would.
    """
    if isinstance(image, bytes):
        blob = image
    else:
        try:
            blob = image.read_bytes()
        except OSError as error:
            raise Refused(f"The query {str(image)!r} cannot be read ({error.strerror}).") from error
    if scaled and len(blob) > SCALE_ABOVE_BYTES:
        share = 1.0 if box is None else min(box[2] - box[0], box[3] - box[1])
        blob = _scaled(blob, share) or blob
    if not blob:
        raise Refused("The query image is empty.")
    if len(blob) > max_bytes:
        raise Refused(f"The search cannot be sent: {too_many_bytes(len(blob), max_bytes)}.")
    return blob


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
