"""A picture of values of any type and range, in any layout, is the same picture as in 8 bits."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.library.errors import Rejected
from tests.support.pictures import encoded, picture
from tests.support.pngs import png_of_16_bits
from tests.support.tiffs import as_tiff, pages, with_float_predictor
from tests.worker.inference.test_decoder import ORIENTATIONS, Opened, off_by

PHOTO = picture(4, (60, 40))
COLOURS = np.asarray(PHOTO)
GREYS = np.asarray(PHOTO.convert("L"))
# Of each type the factor by which 8 bits become the range that it is stored in, and what is opaque.
RANGES: dict[str, tuple[str, float, float]] = {
    "16 bits": ("u2", 257, 65535),
    "12 of 16 bits": ("u2", 16, 4095),
    "8 of 16 bits": ("u2", 1, 255),
    "32 bits": ("u4", 16843009, 2**32 - 1),
    "16 of 32 bits": ("u4", 257, 65535),
    "signed 16 bits": ("i2", 128, 32767),
    "signed 32 bits": ("i4", 257, 65535),
    "halves": ("f2", 1 / 255, 1),
    "floats": ("f4", 1 / 255, 1),
    "floats to 255": ("f4", 1, 255),
    "floats to 65535": ("f4", 257, 65535),
    "doubles": ("f8", 1 / 255, 1),
}


def stored(pixels: npt.NDArray[np.uint8], name: str) -> npt.NDArray[Any]:
    kind, factor, _ = RANGES[name]
    return (pixels * np.float64(factor)).astype(kind)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("name", RANGES)
def test_colours_in_a_tiff(opened: Opened, name: str, planes: str) -> None:
    values = stored(COLOURS, name)

    blob = as_tiff(
        np.moveaxis(values, -1, 0) if planes == "separate" else values, photometric="rgb", planarconfig=planes
    )

    assert off_by(opened(blob), opened(encoded(PHOTO))) < 1.5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", RANGES)
def test_greys_in_a_tiff(opened: Opened, name: str, order: str) -> None:
    blob = as_tiff(stored(GREYS, name), photometric="minisblack", byteorder=order)

    assert off_by(opened(blob), opened(encoded(PHOTO.convert("L")))) < 1.5


@pytest.mark.parametrize("predictor", [None, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u2", "i2", "i4"])
def test_greys_in_a_compressed_tiff(opened: Opened, kind: str, order: str, predictor: int | None) -> None:
    values = (GREYS * np.float64(128)).astype(kind)

    blob = as_tiff(values, photometric="minisblack", byteorder=order, compression="zlib", predictor=predictor)

    assert off_by(opened(blob), opened(as_tiff(values, photometric="minisblack"))) == 0


def test_colours_of_floats_with_their_predictor(opened: Opened) -> None:
    assert off_by(opened(with_float_predictor(COLOURS.astype(np.float32) / 255)), opened(encoded(PHOTO))) < 1.5


def test_where_zero_is_white(opened: Opened) -> None:
    blob = as_tiff(65535 - stored(GREYS, "16 bits"), photometric="miniswhite")

    assert off_by(opened(blob), opened(encoded(PHOTO.convert("L")))) < 1.5


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("name", ["16 bits", "12 of 16 bits", "floats"])
@pytest.mark.parametrize("is_grey", [False, True])
def test_transparency_in_a_tiff(opened: Opened, name: str, extra: str, is_grey: bool) -> None:  # noqa: FBT001
    opacity = np.zeros_like(GREYS)
    opacity[:20, :30] = 255
    opacity[20:, 30:] = 128
    colours = GREYS[..., None] if is_grey else COLOURS
    seen = Image.fromarray(
        np.concatenate([np.repeat(GREYS[..., None], 3, 2) if is_grey else COLOURS, opacity[..., None]], 2)
    )
    whole, full = stored(colours, name).astype(np.float64), RANGES[name][2]
    alpha = opacity[..., None] / 255.0
    whole = np.concatenate([whole * alpha if extra == "assocalpha" else whole, alpha * full], axis=2)

    blob = as_tiff(
        whole.astype(RANGES[name][0]),
        photometric="minisblack" if is_grey else "rgb",
        planarconfig="contig",
        extrasamples=[extra],
    )

    assert off_by(opened(blob), opened(encoded(seen))) < 2


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("factor", [257, 16, 4, 1])
@pytest.mark.parametrize(("colour_type", "bands"), [(0, "L"), (2, "RGB"), (4, "LA"), (6, "RGBA")])
def test_16_bits_in_a_png(opened: Opened, colour_type: int, bands: str, factor: int, interlaced: bool) -> None:  # noqa: FBT001
    photo = PHOTO.convert(bands)
    values = np.asarray(photo).reshape(40, 60, -1).astype(np.uint16)
    values[..., : len(bands) - ("A" in bands)] *= factor
    values[..., len(bands) - ("A" in bands) :] *= 257

    found = opened(png_of_16_bits(values, colour_type, interlaced=interlaced))

    assert off_by(found, opened(encoded(photo))) < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_what_pillow_does_not_know_is_turned_too(opened: Opened, kind: str, orientation: int) -> None:
    turn = ORIENTATIONS[orientation]
    lying = np.asarray(PHOTO if turn is None else PHOTO.transpose(turn)).astype(kind)
    values = lying * np.uint16(257) if kind == "u2" else lying / 255

    found = opened(as_tiff(values.astype(kind), photometric="rgb", extratags=[(274, "H", 1, orientation, True)]))

    assert (found.width_px, found.height_px) == (60, 40)
    assert off_by(found, opened(encoded(PHOTO))) < 1.5


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("how", ["marked", "unmarked", "SubIFD"])
def test_a_tiff_that_begins_with_a_thumbnail_is_read_by_its_largest_picture(
    opened: Opened, how: str, kind: str
) -> None:
    lying = np.asarray(PHOTO.transpose(Image.Transpose.ROTATE_90))
    values = {"u1": lying, "u2": lying * np.uint16(257), "f4": lying.astype(np.float32) / 255}[kind]
    turned: dict[str, Any] = {"photometric": "rgb", "extratags": [(274, "H", 1, 6, True)]}
    first = {**turned, "subfiletype": int(how == "marked"), "subifds": int(how == "SubIFD") or None}
    if how == "SubIFD":
        first["subfiletype"] = 1
    thumbnail = np.zeros((lying.shape[0] // 4, lying.shape[1] // 4, 3), np.uint8)

    found = opened(pages((thumbnail, first), (values, {"photometric": "rgb"} if how == "SubIFD" else turned)))

    assert (found.width_px, found.height_px) == (60, 40)
    assert off_by(found, opened(encoded(PHOTO))) < 1.5


@pytest.mark.parametrize("bands", [5, 7])
def test_bands_that_are_no_picture_are_named(opened: Opened, bands: int) -> None:
    values = np.zeros((20, 30, bands), dtype=np.uint8)

    with pytest.raises(Rejected, match=f"TIFF with {bands} bands, which is not supported"):
        opened(as_tiff(values, photometric="minisblack", planarconfig="contig"))
