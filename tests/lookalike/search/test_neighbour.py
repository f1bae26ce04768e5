"""Similarity is 0 to 1 and means the same for every distance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lookalike.messages import SearchReply
from lookalike.search.neighbour import Neighbour, nearer, score_of, similarity
from lookalike.settings import Distance

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


@pytest.mark.parametrize("distance", ["cosine", "dot", "euclid", "manhattan"])
@pytest.mark.parametrize("least", [0.001, 0.3, 0.8, 0.999999, 1.0])
def test_a_similarity_is_the_score_that_has_it_in_every_metric(distance: Distance, least: float) -> None:
    score = score_of(least, distance, DIMENSION)

    assert score is not None
    assert similarity(score, distance, DIMENSION) == pytest.approx(least, abs=2e-6)
    assert similarity(score, distance, DIMENSION) <= least
    assert score_of(0.0, distance, DIMENSION) is None


@pytest.mark.parametrize(("distance", "strict"), [("cosine", 0.7), ("dot", 0.7), ("euclid", 0.2), ("manhattan", 0.2)])
def test_of_two_thresholds_the_nearer_one_counts(distance: Distance, strict: float) -> None:
    assert nearer(0.2, 0.7, distance) == nearer(0.7, 0.2, distance) == strict
    assert nearer(None, 0.7, distance) == nearer(0.7, None, distance) == 0.7
    assert nearer(None, None, distance) is None


def test_a_neighbour_travels_as_it_is() -> None:
    sent = SearchReply(neighbours=[Neighbour("a.jpg", 0.5, 0.5, {"path": "a.jpg", "reason": None})], took_ms=1.5)

    received = SearchReply.model_validate_json(sent.model_dump_json())

    assert received == sent
    assert isinstance(received.neighbours[0], Neighbour)


def test_a_neighbour_with_an_unknown_field_is_refused() -> None:
    sent = {"path": "a.jpg", "score": 0.5, "similarity": 0.5, "payload": {}, "rank": 1}

    with pytest.raises(ValidationError, match="rank"):
        SearchReply.model_validate({"neighbours": [sent], "took_ms": 1.5})
