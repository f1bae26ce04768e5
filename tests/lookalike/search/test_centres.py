"""A varied few: the promise of the greedy algorithm, against the best choice by hand."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from lookalike.search.centres import farthest_first


def chosen_of(points: np.ndarray, count: int, first: int = 0) -> list[int]:
    return farthest_first(count, first, lambda at: (points @ points[at]).tolist())


def on_the_sphere(seed: int, many: int) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(many, 3))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def radius(points: np.ndarray, centres: Sequence[int]) -> float:
    """The largest angle between a point and its centre, which is a distance as the algorithm needs one."""
    return math.acos(min(1.0, float((points @ points[list(centres)].T).max(axis=1).min())))


@pytest.mark.parametrize("seed", range(5))
def test_no_point_is_farther_than_twice_the_best(seed: int) -> None:
    points = on_the_sphere(seed, 12)
    best = min(radius(points, each) for each in itertools.combinations(range(12), 3))

    assert radius(points, chosen_of(points, 3)) <= 2 * best + 1e-9


def test_each_is_as_far_from_those_before_as_any() -> None:
    points = on_the_sphere(1, 40)
    chosen = chosen_of(points, 6, first=7)

    assert chosen[0] == 7
    for at in range(1, 6):
        nearest = (points @ points[chosen[:at]].T).max(axis=1)
        assert nearest[chosen[at]] == pytest.approx(nearest.min())


def test_copies_are_chosen_once_and_few_points_are_all() -> None:
    points = np.repeat(on_the_sphere(2, 4), 3, axis=0)

    assert len(chosen_of(points, 12)) == 4
    assert sorted(chosen_of(on_the_sphere(3, 5), 50)) == [0, 1, 2, 3, 4]
    assert chosen_of(on_the_sphere(3, 1), 3) == [0]
