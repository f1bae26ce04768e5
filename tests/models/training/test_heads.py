"""models/training/heads.py: heads in closed form find what was put into the features."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install 'lookalike[train]'")

from models.tools.retrieval import copies_found, normalised
from models.training.heads import discriminant, towards, turned, whitening

RNG = np.random.default_rng(0)


def test_a_ridge_finds_a_linear_target() -> None:
    features = RNG.normal(3, 1, (400, 10)).astype(np.float32)
    turn, shift = RNG.normal(0, 1, (4, 10)), RNG.normal(0, 1, 4)

    weight, bias = towards(features, (features @ turn.T + shift).astype(np.float32), ridge=1e-6)

    assert weight == pytest.approx(turn, abs=1e-3)
    assert bias == pytest.approx(shift, abs=1e-2)


def test_a_head_is_turned_to_other_axes_and_keeps_each_likeness() -> None:
    features = RNG.normal(1, 1, (300, 10)).astype(np.float32)
    head = RNG.normal(0, 1, (4, 10)).astype(np.float32), RNG.normal(0, 1, 4).astype(np.float32)
    made = normalised(features @ head[0].T + head[1])
    axes, _ = np.linalg.qr(RNG.normal(0, 1, (4, 4)))
    target = (made @ axes).astype(np.float32)

    weight, bias = turned(head, features[:200], target[:200])

    found = normalised(features @ weight.T + bias)
    assert found[200:] == pytest.approx(target[200:], abs=1e-4)
    assert found @ found.T == pytest.approx(made @ made.T, abs=1e-4)


def test_whitened_components_have_no_mean_and_one_deviation() -> None:
    features = (RNG.normal(0, 1, (4000, 6)) @ RNG.normal(0, 1, (6, 6)) + 5).astype(np.float32)

    weight, bias = whitening(features, 3)
    made = features @ weight.T + bias

    assert made.mean(axis=0) == pytest.approx(0, abs=1e-2)
    assert np.cov(made.T) == pytest.approx(np.eye(3), abs=1e-2)


def test_a_discriminant_looks_away_from_what_differs_between_copies_of_one_photo() -> None:
    """Photos differ in four weak directions, copies of one in four strong ones."""
    photo = RNG.normal(0, 1, (500, 1, 8)) * np.array([1, 1, 1, 1, 0, 0, 0, 0])
    copy = RNG.normal(0, 1, (500, 3, 8)) * np.array([0.05] * 4 + [10] * 4)
    views = (photo + copy + 2).astype(np.float32)

    weight, bias = discriminant(views, 4, ridge=1e-6)
    found = [normalised((views[:, number] @ weight.T + bias).astype(np.float32)) for number in range(2)]

    assert copies_found(normalised(views[:, 0]), normalised(views[:, 1])) < 0.3
    assert copies_found(found[0], found[1]) > 0.9
