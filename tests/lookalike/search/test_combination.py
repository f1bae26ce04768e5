"""Several examples become one query by the documented formula, or are refused in a sentence."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lookalike import Refused
from lookalike.search.combination import combine

DIMENSION = 6
NUMBERS = st.floats(-10, 10, width=32)
EXAMPLES = st.lists(
    st.tuples(st.lists(NUMBERS, min_size=DIMENSION, max_size=DIMENSION), st.floats(-5, 5, width=32)),
    min_size=1,
    max_size=5,
)


@given(examples=EXAMPLES)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_it_is_what_numpy_computes_by_the_formula(examples: list[tuple[list[float], float]]) -> None:
    vectors = np.array([vector for vector, _ in examples])
    weights = np.array([weight for _, weight in examples])
    assume((np.linalg.norm(vectors, axis=1) > 1e-3).all())
    total = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * weights[:, None]).sum(axis=0)
    assume((weights > 0).any())
    assume(np.linalg.norm(total) > 1e-4)

    found = combine(vectors.tolist(), weights.tolist())

    assert found == pytest.approx((total / np.linalg.norm(total)).tolist(), abs=1e-6)
    assert math.hypot(*found) == pytest.approx(1)


def test_one_example_is_its_own_direction_whatever_its_weight() -> None:
    assert combine([[3.0, 4.0]], [7.5]) == pytest.approx([0.6, 0.8])


def test_a_negative_weight_leads_away_from_an_example() -> None:
    assert combine([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0]) == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)])


@pytest.mark.parametrize("weights", [[-1.0, -2.0], [0.0, -1.0], [0.0, 0.0]])
def test_without_a_weight_above_0_there_is_no_direction(weights: list[float]) -> None:
    with pytest.raises(Refused, match="No example has a weight above 0"):
        combine([[1.0, 0.0], [0.0, 1.0]], weights)


@pytest.mark.parametrize("vectors", [[[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [100.0, 200.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_what_cancels_out_is_refused(vectors: list[list[float]]) -> None:
    with pytest.raises(Refused, match="cancel each other out"):
        combine(vectors, [1.0, -1.0])
