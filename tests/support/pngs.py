"""Draws PNGs of 16 bits in colour, which Pillow does not write."""

import struct
import zlib

import numpy as np
import numpy.typing as npt


def png_of_16_bits(values: npt.NDArray[np.uint16], colour_type: int, *, interlaced: bool = False) -> bytes:
    """The values [height, width, bands] of a colour type. Interlaced, the first pass has one pixel in 8 x 8."""
    height, width = values.shape[:2]
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [values[top::down, left::across] for top, left, down, across in steps] if interlaced else [values]
    # Each row begins with its filter, which is none.
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
