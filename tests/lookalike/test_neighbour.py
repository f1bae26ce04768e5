"""Similarity is 0 to 1 and means the same for every distance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.neighbour import similarity

DIMENSION = 512


def unit_pair(seed: int, angle: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Two unit vectors with that angle between them, in random directions."""
    first, other = np.random.default_rng(seed).normal(size=(2, DIMENSION))
    first /= np.linalg.norm(first)
    other -= first * float(first @ other)
    other /= np.linalg.norm(other)
    return first, math.cos(angle) * first + math.sin(angle) * other


@given(seed=st.integers(0, 10**6), angle=st.floats(0, math.pi))
@settings(max_examples=100, derandomize=True)
def test_cosine_dot_and_euclid_say_the_same_and_manhattan_nearly(seed: int, angle: float) -> None:
    one, other = unit_pair(seed, angle)
    cosine = float(one @ other)

    said = similarity(cosine, "cosine", DIMENSION)

    assert said == pytest.approx(max(0.0, math.cos(angle)), abs=1e-6)
    assert similarity(cosine, "dot", DIMENSION) == said
    assert similarity(float(np.linalg.norm(one - other)), "euclid", DIMENSION) == pytest.approx(said, abs=1e-6)
    assert similarity(float(np.abs(one - other).sum()), "manhattan", DIMENSION) == pytest.approx(said, abs=0.15)


@pytest.mark.parametrize(
    ("distance", "best"), [("cosine", 1.0000002), ("dot", 1.0), ("euclid", 0.0), ("manhattan", 0.0)]
)
def test_the_same_image_is_exactly_one(distance: str, best: float) -> None:
    assert similarity(best, distance, DIMENSION) == 1.0  # type: ignore[arg-type]
