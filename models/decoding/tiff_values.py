"""Reads the values of a TIFF's picture as they are: any whole number or float of 8 to 64 bits, whatever their order.

libtiff, through Pillow, undoes the compression: it is shown a file in which the same strips or tiles hold plain bytes.
What the bytes mean is undone here: byte order, predictors, planes. Pillow has no mode for most of it, and reads planes
and predictors of 16 bits wrongly (13.0).
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.decoding.tiff_tags import Directory, byte_order

BITS, COMPRESSION, FILL_ORDER, BANDS, ROWS_PER_STRIP, PLANAR = 258, 259, 266, 277, 278, 284
STRIPS, STRIP_BYTES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 273, 279, 322, 323, 324, 325
PREDICTOR, SAMPLE_FORMAT = 317, 339
# None, LZW, both names of deflate, PackBits, LZMA, Zstandard: those whose result are the values' own bytes.
WITH_PREDICTOR = frozenset({5, 8, 32946, 34925, 50000})
COMPRESSIONS = WITH_PREDICTOR | {1, 32773}
KINDS = {1: "u", 2: "i", 3: "f"}
DIFFERENCES, FLOATS = 2, 3
SEPARATE_PLANES = 2
SIZES = frozenset({8, 16, 32, 64})
_ENTRY = struct.Struct("<HHII")
_SHORT, _LONG = 3, 4


@dataclass(frozen=True)
class Layout:
    """How the values lie in strips or tiles, each `piece_px` pixels wide; a plane is all bands or one of them."""

    size: tuple[int, int]
    dtype: np.dtype[np.generic]
    bands: int
    planes: int
    predictor: int
    piece_px: int

    @property
    def pixel_bytes(self) -> int:
        """Of one pixel in one plane."""
        return self.dtype.itemsize * self.bands // self.planes

    @property
    def across(self) -> int:
        """Pieces side by side; the last one may reach over the edge."""
        return -(-self.size[0] // self.piece_px)


def layout_of(blob: bytes, picture: Directory) -> Layout | None:
    """The layout of a picture that `read_values` reads; None for one that it does not."""
    bits = picture.numbers(BITS) or (1,)
    kind = KINDS.get(picture.number(SAMPLE_FORMAT, 1))
    if len(set(bits)) != 1 or bits[0] not in SIZES or kind is None or (kind == "f" and bits[0] == min(SIZES)):
        return None
    compression = picture.number(COMPRESSION, 1)
    if compression not in COMPRESSIONS or picture.number(FILL_ORDER, 1) != 1:
        return None
    bands, width = picture.number(BANDS, 1), picture.size[0]
    # libtiff neither writes nor undoes one with others, whatever the tag says.
    predictor = picture.number(PREDICTOR, 1) if compression in WITH_PREDICTOR else 1
    piece_px = picture.number(TILE_WIDTH, width) if TILES in picture.tags else width
    if min(*picture.size, bands, piece_px) < 1 or predictor not in (1, DIFFERENCES, FLOATS):
        return None
    planes = bands if picture.number(PLANAR, 1) == SEPARATE_PLANES else 1
    dtype = np.dtype(f"{byte_order(blob)}{kind}{bits[0] // 8}")
    return Layout(picture.size, dtype, bands, planes, predictor, piece_px)


def read_values(blob: bytes, picture: Directory, layout: Layout) -> npt.NDArray[np.generic]:
    """The values [height, width, bands] in the dtype that the file names. Raises what Pillow raises of broken ones."""
    planes = [_values(_uncompressed(blob, picture, layout, plane), layout) for plane in range(layout.planes)]
    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)


def _uncompressed(blob: bytes, picture: Directory, layout: Layout, plane: int) -> npt.NDArray[np.uint8]:
    """Bytes [height, across, bytes of a piece] of one plane, by a directory that tells libtiff of bytes alone."""
    is_tiled = TILES in picture.tags
    where, how_many = (TILES, TILE_BYTES) if is_tiled else (STRIPS, STRIP_BYTES)
    offsets, counts = picture.numbers(where), picture.numbers(how_many)
    each = len(offsets) // layout.planes
    if each == 0 or len(counts) != len(offsets):
        raise ValueError("no strips or tiles")
    piece_bytes, height = layout.piece_px * layout.pixel_bytes, layout.size[1]
    entries: list[tuple[int, int, tuple[int, ...]]] = [
        (256, _LONG, (layout.across * piece_bytes,)),
        (257, _LONG, (height,)),
        (258, _SHORT, (8,)),
        (259, _SHORT, (picture.number(COMPRESSION, 1),)),
        (262, _SHORT, (1,)),
        (277, _SHORT, (1,)),
        (where, _LONG, offsets[plane * each : (plane + 1) * each]),
        (how_many, _LONG, counts[plane * each : (plane + 1) * each]),
    ]
    if is_tiled:
        entries += [(TILE_WIDTH, _LONG, (piece_bytes,)), (TILE_HEIGHT, _LONG, (picture.number(TILE_HEIGHT, height),))]
    else:
        entries.append((ROWS_PER_STRIP, _LONG, (min(picture.number(ROWS_PER_STRIP, height), height),)))
    with Image.open(io.BytesIO(_with_directory(blob, sorted(entries))), formats=["TIFF"]) as image:
        return np.asarray(image).reshape(height, layout.across, piece_bytes)


def _with_directory(blob: bytes, entries: list[tuple[int, int, tuple[int, ...]]]) -> bytes:
    """The file as a little-endian TIFF with one directory, which is put behind it."""
    body = blob[8:] + b"\0" * (len(blob) % 2)
    start = 8 + len(body)
    lists_at = start + 2 + _ENTRY.size * len(entries) + 4
    directory, lists = struct.pack("<H", len(entries)), b""
    for tag, kind, values in entries:
        if len(values) == 1:
            directory += _ENTRY.pack(tag, kind, 1, values[0])
        else:
            directory += _ENTRY.pack(tag, kind, len(values), lists_at + len(lists))
            lists += struct.pack(f"<{len(values)}I", *values)
    return b"II*\0" + struct.pack("<I", start) + body + directory + bytes(4) + lists


def _values(stored: npt.NDArray[np.uint8], layout: Layout) -> npt.NDArray[np.generic]:
    """Values [height, width, bands of the plane] of the bytes of one plane."""
    height, across, _ = stored.shape
    bands, size = layout.bands // layout.planes, layout.dtype.itemsize
    shape = (height, across * layout.piece_px, bands)
    if layout.predictor == FLOATS:
        # Adobe, TIFF Technical Note 3: differences of bytes, which stand in planes from the highest to the lowest.
        summed = np.cumsum(stored.reshape(height, across, -1, bands), axis=2, dtype=np.uint8)
        planes = summed.reshape(height, across, size, -1)
        values = np.ascontiguousarray(np.moveaxis(planes, 2, 3)).view(layout.dtype.newbyteorder(">"))
    elif layout.predictor == DIFFERENCES:
        # Of floats, too, the differences are those of their bits.
        whole = stored.view(layout.dtype.str.replace("f", "u").replace("i", "u"))
        own = whole.dtype.newbyteorder("=")
        summed = np.cumsum(whole.reshape(height, across, layout.piece_px, bands), axis=2, dtype=own)
        values = summed.view(layout.dtype.newbyteorder("="))
    else:
        values = stored.view(layout.dtype)
    return values.reshape(shape)[:, : layout.size[0]]
