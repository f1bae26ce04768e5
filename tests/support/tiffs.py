"""Draws TIFFs: by tifffile, and by hand with a predictor of floats, which tifffile cannot write."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

FLOAT_PREDICTOR = 3
_FORMATS = {"u": 1, "i": 2, "f": 3}


def as_tiff(values: npt.NDArray[np.generic], *, bigtiff: bool = False, byteorder: Any = "<", **options: Any) -> bytes:
    """The values [height, width(, bands)] as a TIFF, by the options of tifffile's `write`."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, bigtiff=bigtiff, byteorder=byteorder) as file:
        file.write(values, **options)
    return out.getvalue()


def pages(*written: tuple[npt.NDArray[np.generic], dict[str, Any]]) -> bytes:
    """A TIFF of several pictures, each with its options."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as file:
        for values, options in written:
            file.write(values, **options)
    return out.getvalue()


def with_float_predictor(values: npt.NDArray[np.floating[Any]]) -> bytes:
    """Floats [height, width, bands] deflated in one strip, by Adobe's TIFF Technical Note 3."""
    height, width, bands = values.shape
    big_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(">"))).view(np.uint8)
    planes = np.moveaxis(big_endian.reshape(height, width * bands, values.itemsize), 2, 1).reshape(height, -1, bands)
    differences = np.diff(planes, axis=1, prepend=np.zeros((height, 1, bands), np.uint8)).astype(np.uint8)
    strip = zlib.compress(differences.tobytes())
    bits, formats = [values.itemsize * 8] * bands, [_FORMATS["f"]] * bands
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", bits),
        (259, "H", [8]),
        (262, "H", [2 if bands > 1 else 1]),
        (273, "I", [8]),
        (277, "H", [bands]),
        (278, "I", [height]),
        (279, "I", [len(strip)]),
        (317, "H", [FLOAT_PREDICTOR]),
        (339, "H", formats),
    ]
    start = 8 + len(strip)
    lists, at = b"", start + 2 + 12 * len(tags) + 4
    directory = struct.pack("<H", len(tags))
    for tag, form, numbers in tags:
        packed = struct.pack(f"<{len(numbers)}{form}", *numbers)
        value = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", at + len(lists))
        lists += b"" if len(packed) <= 4 else packed
        directory += struct.pack("<HHI", tag, {"H": 3, "I": 4}[form], len(numbers)) + value
    return b"II*\0" + struct.pack("<I", start) + strip + directory + bytes(4) + lists
