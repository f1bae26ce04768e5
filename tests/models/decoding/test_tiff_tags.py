"""What a TIFF says of its pictures is read, whatever is broken in it; a thumbnail stands for the picture behind it."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decoding.tiff_tags import directories, is_cut_off, picture_of, with_first
from tests.support.pictures import encoded, picture
from tests.support.tiffs import as_tiff, pages

WHOLE = np.asarray(picture(4, (120, 80)))
SMALL = WHOLE[::8, ::8].copy()
RGB: dict[str, Any] = {"photometric": "rgb"}


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_each_form_is_read(order: str, bigtiff: bool) -> None:  # noqa: FBT001
    (found,) = directories(as_tiff(WHOLE, byteorder=order, bigtiff=bigtiff, description="words", metadata=None, **RGB))

    assert found.size == (120, 80)
    assert found.numbers(258) == (8, 8, 8)
    assert found.bytes_of(270) == b"words\0"
    assert found.numbers(270) == ()


@pytest.mark.parametrize(
    "blob",
    [
        pages((SMALL, {**RGB, "subfiletype": 1}), (WHOLE, RGB)),
        pages((SMALL, RGB), (WHOLE, RGB)),
        pages((SMALL, {**RGB, "subfiletype": 1, "subifds": 1}), (WHOLE, RGB)),
        pages((WHOLE, {**RGB, "subifds": 1}), (WHOLE[::2, ::2].copy(), {**RGB, "subfiletype": 1})),
        pages((WHOLE, RGB), (SMALL, {**RGB, "subfiletype": 1})),
    ],
    ids=["marked first", "unmarked first", "in a SubIFD", "pyramid", "last"],
)
def test_a_thumbnail_is_not_the_picture(blob: bytes) -> None:
    found = picture_of(directories(blob))

    assert found.size == (120, 80)
    assert picture_of(directories(with_first(blob, found))[:1]) == found


def test_of_pages_the_first_is_the_picture_also_if_a_later_one_is_larger() -> None:
    folded_out, twice_as_long = (np.asarray(picture(5, size)) for size in ((400, 90), (240, 160)))

    assert picture_of(directories(pages((WHOLE, RGB), (folded_out, RGB), (twice_as_long, RGB)))).size == (120, 80)


def test_a_mask_is_no_picture() -> None:
    mask = np.zeros((800, 1200), dtype=bool)

    blob = pages((SMALL, {**RGB, "subfiletype": 1}), (mask, {"photometric": "miniswhite", "subfiletype": 4}))

    assert picture_of(directories(blob)).size == (15, 10)


def test_a_tag_that_is_no_list_of_numbers_takes_no_memory_of_one() -> None:
    layers = (37724, 1, 9 * 2**20, bytes(9 * 2**20), True)
    note = (700, 1, 1000, b"x" * 1000, True)

    (found,) = directories(as_tiff(WHOLE, extratags=[layers, note], **RGB))

    assert 37724 not in found.tags
    assert found.bytes_of(700) == b"x" * 1000
    assert found.numbers(700) == ()


def test_directories_that_lead_back_end() -> None:
    blob = bytearray(encoded(picture(1), "TIFF"))
    (first,) = struct.unpack_from("<I", blob, 4)
    (count,) = struct.unpack_from("<H", blob, first)
    struct.pack_into("<I", blob, first + 2 + 12 * count, first)

    assert len(directories(bytes(blob))) == 1


def test_a_picture_is_cut_off_where_its_strips_are() -> None:
    blob = as_tiff(WHOLE, **RGB)
    (found,) = directories(blob)

    assert not is_cut_off(blob, found)
    assert is_cut_off(blob[:-1], found)


@given(st.binary(max_size=300), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]))
def test_no_bytes_make_it_fail(tail: bytes, begins: bytes) -> None:
    for found in directories(begins + tail):
        assert min(found.size) >= 0 or found.tags
