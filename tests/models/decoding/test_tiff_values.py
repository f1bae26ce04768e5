"""The values of a TIFF come out as they went in, whatever their type, order, planes, predictor and compression."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from models.decoding.tiff_tags import directories
from models.decoding.tiff_values import layout_of, read_values
from tests.support.pictures import picture
from tests.support.tiffs import as_tiff, with_float_predictor

COLOURS = np.asarray(picture(4, (50, 37)))
TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8")
LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (32, 16)},
    "deflated": {"compression": "zlib"},
    "lzma": {"compression": "lzma"},
    "BigTIFF": {"bigtiff": True},
}


def drawn(kind: str) -> npt.NDArray[Any]:
    """Colours of that type which use its lower bytes, too."""
    exact = COLOURS.astype(np.float64) * 1.001
    return (exact if kind in ("u1", "i1") else exact * 100).clip(0, 120 if kind == "i1" else 255 * 100).astype(kind)


def read(blob: bytes) -> npt.NDArray[np.generic]:
    (found,) = directories(blob)
    layout = layout_of(blob, found)
    assert layout is not None
    return read_values(blob, found, layout)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_in_each_byte_order(kind: str, order: str) -> None:
    values = drawn(kind)

    found = read(as_tiff(values, photometric="rgb", byteorder=order))

    assert found.dtype.kind + str(found.dtype.itemsize) == kind
    assert np.array_equal(found, values)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_each_layout(kind: str, layout: dict[str, Any], planes: str) -> None:
    values = drawn(kind)
    stored = np.moveaxis(values, -1, 0) if planes == "separate" else values

    assert np.array_equal(read(as_tiff(stored, photometric="rgb", planarconfig=planes, **layout)), values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("extra", [{}, {"tile": (16, 32)}, {"planarconfig": "separate"}], ids=str)
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i2", "i4"])
def test_differences_between_neighbours_are_summed(kind: str, extra: dict[str, Any], order: str) -> None:
    values = drawn(kind)
    stored = np.moveaxis(values, -1, 0) if extra.get("planarconfig") else values

    blob = as_tiff(stored, photometric="rgb", compression="zlib", predictor=2, byteorder=order, **extra)

    assert np.array_equal(read(blob), values)


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_the_predictor_of_floats_is_undone(kind: str, bands: int) -> None:
    values = drawn(kind)[..., [0, 1, 2, 0]][..., :bands]

    assert np.array_equal(read(with_float_predictor(values)), values)


@pytest.mark.parametrize("compression", ["tiff_lzw", "zstd", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("predictor", [1, 3])
def test_what_libtiff_wrote_is_read(compression: str, predictor: int) -> None:
    values = drawn("f4")[..., 0]
    out = io.BytesIO()
    Image.fromarray(values).save(out, "TIFF", compression=compression, tiffinfo={317: predictor})

    assert np.array_equal(read(out.getvalue())[..., 0], values)


def test_a_cut_off_file_is_no_picture() -> None:
    blob = as_tiff(drawn("f4"), photometric="rgb", compression="zlib")
    (found,) = directories(blob)
    (strip,) = found.numbers(273)
    layout = layout_of(blob, found)
    assert layout is not None

    with pytest.raises(OSError, match=r"truncated|decoder error"):
        read_values(blob[: strip + 100], found, layout)
