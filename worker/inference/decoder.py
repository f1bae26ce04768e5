"""Opens image files: bytes in, model input out, or the reason why not. Knows nothing of paths, queues or the index."""

import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from models.contract import ModelCard
from models.decoding import decode_upright, open_image, register_formats
from models.preprocess import prepare
from worker.errors import Rejected


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image: model input uint8 [H, W, 3], and what its payload says of it (size upright)."""

    pixels: npt.NDArray[np.uint8]
    format: str
    width_px: int
    height_px: int
    taken_at: str | None


def enable_formats() -> None:
    """Registers all formats and leaves the size limit to `decode_image`, which knows the setting."""
    register_formats()
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
    with open_image(blob) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise Rejected(
                f"it has {width} x {height} pixels, the limit is {max_pixels / 1e6:g} million "
                f"(LOOKALIKE_MAX_IMAGE_PIXELS)"
            )
        if min(width, height) < 1:
            raise Rejected("it has no pixels")
        name = image.format or "unknown"
        flat, (width, height) = decode_upright(image, blob, card)
        taken_at = _taken_at(image.getexif())
    return DecodedImage(prepare(flat, card), name, width, height, taken_at)


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
