"""Opens TIFFs of values that are no colours of a screen: floats, doubles, halves, wide integers, one or three bands."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.decoding.tones import to_8_bit

# GDAL's tag for the value that means "no data", as text.
GDAL_NO_DATA = 42113
ORIENTATION = 274
COLOUR_BANDS = 3
# Of a file with hundreds of pages the first few tell.
MOST_PAGES = 16
GREY, GREY_INVERTED, RGB = 1, 0, 2


def is_tiff(blob: bytes) -> bool:
    """Whether it is a TIFF or BigTIFF."""
    return blob[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_wide(blob: bytes) -> bool:
    """Whether it is a TIFF of unsigned 32-bit values, which Pillow reads as signed ones."""
    if not is_tiff(blob):
        return False
    import tifffile  # noqa: PLC0415 (40 MiB that JPEGs and PNGs do not need)

    try:
        with tifffile.TiffFile(io.BytesIO(blob)) as file:
            return bool(file.pages[0].dtype == np.uint32)
    except Exception:  # noqa: BLE001 - whoever opens it says what is wrong
        return False


def no_data_of(image: Image.Image) -> float | None:
    """The value that the file says means "no data"."""
    told = getattr(image, "tag_v2", {}).get(GDAL_NO_DATA)
    return _number(told)


def open_tiff(
    blob: bytes, *, check: Callable[[tuple[int, int]], None]
) -> tuple[npt.NDArray[np.uint8], int, tuple[int, int]]:
    """Pixels uint8 [H, W] or [H, W, 3], EXIF orientation, (width, height). `check` refuses a size before it is read.

    Raises ValueError for bands or a meaning of them that are no picture, and what tifffile raises.
    """
    import tifffile  # noqa: PLC0415 (see above)

    with tifffile.TiffFile(io.BytesIO(blob)) as file:
        pages: list[Any] = list(file.pages)[:MOST_PAGES]
        page = max(pages, key=lambda one: int(one.imagewidth) * int(one.imagelength))
        check((page.imagewidth, page.imagelength))
        if page.photometric not in (GREY, GREY_INVERTED, RGB):
            raise ValueError(f"photometric interpretation {page.photometric}")
        values = np.squeeze(page.asarray())
        if page.planarconfig != 1 and values.ndim == COLOUR_BANDS:
            values = np.moveaxis(values, 0, -1)
        tag = page.tags.get(GDAL_NO_DATA)
        no_data = _number(None if tag is None else tag.value)
        turned = page.tags.get(ORIENTATION)
    if values.ndim == 2:  # noqa: PLR2004 (rows and columns)
        pixels = to_8_bit(values, no_data)
        pixels = 255 - pixels if page.photometric == GREY_INVERTED else pixels
    elif values.ndim == COLOUR_BANDS and values.shape[2] >= COLOUR_BANDS and page.photometric == RGB:
        pixels = to_8_bit(values[..., :COLOUR_BANDS], no_data)
    else:
        raise ValueError(f"bands of shape {values.shape}")
    return pixels, 1 if turned is None else int(turned.value), (int(page.imagewidth), int(page.imagelength))


def _number(told: object) -> float | None:
    text = told[0] if isinstance(told, tuple) and told else told
    try:
        return None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        return None
