"""Opens TIFFs of values that are no colours of a screen: floats and more than 8 bits, one or three bands."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.decoding.tiff_tags import PHOTOMETRIC, Directory, directories, picture_of
from models.decoding.tiff_values import Layout, layout_of, read_values
from models.decoding.tones import to_8_bit

# GDAL's tag for the value that means "no data", as text.
GDAL_NO_DATA = 42113
ORIENTATION, EXTRA_BANDS, PROFILE = 274, 338, 34675
COLOUR_BANDS = 3
GREY_INVERTED, GREY, RGB, LAB = 0, 1, 2, 8
# ExtraSamples: what the bands behind the colours are.
PREMULTIPLIED, TRANSPARENCY = 1, (1, 2)


@dataclass(frozen=True)
class ScientificPicture:
    """The picture as 8 bits (L, RGB, RGBA where it is transparent, or LAB), as it lies in the file."""

    picture: Image.Image
    orientation: int
    size: tuple[int, int]
    profile: bytes | None


def is_scientific(blob: bytes) -> bool:
    """Whether it is a TIFF of values of more than the 8 bits that Pillow has modes for."""
    pictures = directories(blob)
    if not pictures:
        return False
    layout = layout_of(blob, picture_of(pictures))
    return layout is not None and layout.dtype.itemsize > 1


def no_data_of(image: Image.Image) -> float | None:
    """The value that the file says means "no data"."""
    told = getattr(image, "tag_v2", {}).get(GDAL_NO_DATA)
    return _number(told)


def open_tiff(blob: bytes, *, check: Callable[[tuple[int, int]], None]) -> ScientificPicture:
    """Opens it. `check` refuses a size before it is read.

    Raises ValueError for a layout, bands or a meaning of them that are no picture, and what Pillow raises.
    """
    pictures = directories(blob)
    if not pictures:
        raise ValueError("a TIFF without a picture")
    picture = picture_of(pictures)
    check(picture.size)
    layout = layout_of(blob, picture)
    if layout is None:
        raise ValueError("values of an unknown layout")
    colours, has_transparency = _meaning(picture, layout)
    values = read_values(blob, picture, layout)
    orientation = picture.number(ORIENTATION, pictures[0].number(ORIENTATION, 1))
    if picture.number(PHOTOMETRIC, GREY) == LAB:
        return ScientificPicture(_lab(values), orientation, picture.size, None)
    no_data = _number(picture.bytes_of(GDAL_NO_DATA) or None)
    pixels = to_8_bit(values[..., 0] if colours == 1 else values[..., :colours], no_data)
    if picture.number(PHOTOMETRIC, GREY) == GREY_INVERTED:
        pixels = 255 - pixels
    flat = Image.fromarray(pixels)
    if has_transparency:
        is_premultiplied = picture.number(EXTRA_BANDS, 0) == PREMULTIPLIED
        flat = _transparent(flat, to_8_bit(values[..., colours]), is_premultiplied=is_premultiplied)
    return ScientificPicture(flat, orientation, picture.size, picture.bytes_of(PROFILE) or None)


def _meaning(picture: Directory, layout: Layout) -> tuple[int, bool]:
    """How many bands are colours, and whether the next one says how transparent they are."""
    photometric = picture.number(PHOTOMETRIC, GREY)
    colours = {GREY: 1, GREY_INVERTED: 1, RGB: COLOUR_BANDS, LAB: COLOUR_BANDS}.get(photometric)
    if colours is None or (photometric == LAB and layout.dtype.newbyteorder("=") != np.uint16):
        raise ValueError(f"photometric interpretation {photometric}")
    has_transparency = layout.bands > colours and picture.number(EXTRA_BANDS, 0) in TRANSPARENCY
    if layout.bands < colours or (colours == 1 and layout.bands > 1 + has_transparency):
        raise ValueError(f"{layout.bands} bands")
    return colours, has_transparency


def _lab(values: npt.NDArray[np.generic]) -> Image.Image:
    """CIE Lab of 16 bits: L from 0, a and b signed (TIFF 6.0, section 23); Pillow has them from -128."""
    high = (values[..., :COLOUR_BANDS].astype(np.uint16) >> 8).astype(np.uint8)
    light, *colours = np.moveaxis(high, 2, 0)
    return Image.merge("LAB", [Image.fromarray(band) for band in (light, *(band ^ 128 for band in colours))])


def _transparent(flat: Image.Image, opacity: npt.NDArray[np.uint8], *, is_premultiplied: bool) -> Image.Image:
    colours = np.asarray(flat.convert("RGB"))
    if is_premultiplied:
        share = np.maximum(opacity, 1)[..., None] / 255.0
        colours = np.minimum(np.rint(colours / share), 255).astype(np.uint8)
    return Image.fromarray(np.concatenate([colours, opacity[..., None]], axis=2))


def _number(told: object) -> float | None:
    text = told[0] if isinstance(told, tuple) and told else told
    try:
        return None if text is None else float((text.decode() if isinstance(text, bytes) else str(text)).strip("\0 "))
    except ValueError:
        return None
