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


@pytest.mark.parametrize("full", [1.0, 255.0, 65535.0])
@pytest.mark.parametrize("odd", [1e30, -1e30, 3e38])
def test_one_value_far_from_all_others_changes_no_other(odd: float, full: float) -> None:
    values = np.tile(GREY, (8, 8)).astype(np.float32) * np.float32(full / 255)
    values[0, 0] = odd

    scaled = to_8_bit(values)

    # Beyond an end of the range or at it; some of the range is lost where its ends themselves are rare.
    assert np.abs(scaled.astype(int) - np.tile(GREY, (8, 8))).ravel()[1:].max() <= 3
    assert scaled[0, 0] == (255 if odd > 0 else 0)


@pytest.mark.parametrize("full", [1.0, 255.0, 65535.0])
@pytest.mark.parametrize("over", [1.05, 1.2])
def test_floats_that_reach_over_the_end_of_their_range_are_cut_off_there(over: float, full: float) -> None:
    values = (GREY.astype(np.float32) / 255 * over * np.float32(255 / 239)).astype(np.float32) - np.float32(0.02)

    scaled = to_8_bit(values * np.float32(full))

    assert np.abs(scaled.astype(int) - np.clip(values * 255, 0, 255)).max() <= 1


def test_highlights_of_an_exposure_leave_the_rest_as_it_is() -> None:
    values = GREY.astype(np.float32) / 255
    values[9:] = np.linspace(1, 60, values[9:].size, dtype=np.float32).reshape(values[9:].shape)

    scaled = to_8_bit(values)

    assert np.abs(scaled[:9].astype(int) - GREY[:9]).max() <= 1
    assert scaled[9:].min() == 255


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
