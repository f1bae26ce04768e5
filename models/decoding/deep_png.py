"""Colours of PNGs of 16 bits that use a small part of them: a camera's 12 bits, an 8-bit picture that was not scaled.

Pillow keeps the higher byte of each colour, which is right for all other PNGs of 16 bits and black for these. For them
the file is decoded a second time for the lower bytes. Greys of 16 bits Pillow keeps whole.
"""

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.decoding.tones import to_8_bit

# The header: its depth and colour type, and its checksum behind 13 bytes (PNG, third edition, 11.2.1).
DEPTH_AT, COLOUR_AT, HEADER, HEADER_END = 24, 25, slice(12, 29), 33
GREY_TRANSPARENT, COLOURS_TRANSPARENT = 4, 6
# Above it the higher bytes tell enough: tones.py scales what keeps within 12 bits.
MOST_HIGH_BYTE = 15
# What takes the other byte of each value.
LOWER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
MODES = ("RGB", "RGBA", "LA")


def deep_colours(blob: bytes, image: Image.Image) -> Image.Image | None:
    """The loaded PNG with its small range spread to 8 bits; None for one that is right as it is."""
    if len(blob) < HEADER_END or blob[DEPTH_AT] != 16 or image.mode not in MODES:  # noqa: PLR2004
        return None
    high = np.asarray(image)
    colours = len(image.getbands()) - ("A" in image.getbands())
    if high[..., :colours].max() > MOST_HIGH_BYTE:
        return None
    is_grey = blob[COLOUR_AT] == GREY_TRANSPARENT
    values = _grey_values(blob) if is_grey else high * np.uint16(256) + _lower_bytes(blob)
    mode = "LA" if is_grey else image.mode
    bands = [to_8_bit(values[..., :-1]), to_8_bit(values[..., -1:])] if mode.endswith("A") else [to_8_bit(values)]
    return Image.merge(mode, [Image.fromarray(band) for band in np.moveaxis(np.concatenate(bands, axis=2), 2, 0)])


def _lower_bytes(blob: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(blob), formats=["PNG"]) as image:
        image.tile = [tile._replace(args=LOWER[str(tile.args)]) for tile in image.tile]
        return np.asarray(image)


def _grey_values(blob: bytes) -> npt.NDArray[np.uint16]:
    """Grey and transparency, 16 bits each [height, width, 2]: to the format they look like four colours of 8 bits."""
    header = bytearray(blob[HEADER])
    header[DEPTH_AT - HEADER.start], header[COLOUR_AT - HEADER.start] = 8, COLOURS_TRANSPARENT
    alike = blob[: HEADER.start] + header + struct.pack(">I", zlib.crc32(header)) + blob[HEADER_END:]
    with Image.open(io.BytesIO(alike), formats=["PNG"]) as image:
        return np.ascontiguousarray(image).view(">u2")
