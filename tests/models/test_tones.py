"""Values of any range as 8 bits: one picture in any of them is the same picture."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.decoding.tones import to_8_bit

GREY = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)


@pytest.mark.parametrize(
    "values",
    [
        GREY.astype(np.float32) / 255,
        GREY.astype(np.float64) / 255,
        GREY.astype(np.float32),
        GREY.astype(np.float32) * 257,
        GREY.astype(np.uint16) * 257,
        GREY.astype(np.int32) * 257,
        GREY.astype(np.uint32) * 16843009,
        GREY.astype(np.int16) * 128,
    ],
    ids=["0..1", "0..1 double", "0..255", "0..65535", "16 bits", "32 bits signed", "32 bits", "signed 16"],
)
def test_one_picture_in_any_range_is_the_same(values: npt.NDArray[np.generic]) -> None:
    assert np.abs(to_8_bit(values).astype(int) - GREY).max() <= 1


def test_twelve_bits_in_sixteen_are_not_black() -> None:
    assert np.abs(to_8_bit(GREY.astype(np.uint16) * 16).astype(int) - GREY).max() <= 1


def test_heights_and_exposures_are_spread_over_what_is_there() -> None:
    heights = np.linspace(-400.0, 8848.0, 100)

    assert (to_8_bit(heights)[0], to_8_bit(heights)[-1]) == (0, 255)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_one_odd_value_changes_no_other(odd: float) -> None:
    values = GREY.astype(np.float32) / 255
    values[0, 0] = odd

    scaled = to_8_bit(values)

    assert np.abs(scaled.astype(int) - GREY).ravel()[1:].max() <= 1
    assert scaled[0, 0] == (255 if odd == np.inf else 0)


@pytest.mark.parametrize("told", [None, -9999.0])
def test_a_value_that_means_no_data_has_no_part_in_the_range(told: float | None) -> None:
    values = GREY.astype(np.float32) / 255
    values[3] = -9999.0

    scaled = to_8_bit(values, told)

    assert np.abs(np.delete(scaled.astype(int) - GREY, 3, axis=0)).max() <= 1
    assert scaled[3].max() == 0


def test_nothing_but_odd_values_is_black() -> None:
    assert to_8_bit(np.full((3, 3), np.nan)).max() == 0


@given(arrays.arrays(st.sampled_from(["f2", "f4", "f8", "i4", "u2", "u4"]), (4, 5)))
def test_no_values_make_it_fail(values: npt.NDArray[np.generic]) -> None:
    scaled = to_8_bit(values)

    assert scaled.dtype == np.uint8
    assert scaled.shape == (4, 5)
