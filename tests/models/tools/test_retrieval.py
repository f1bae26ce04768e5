"""models/tools/retrieval.py: figures whose right values can be worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.tools.retrieval import figures


def on_circle(*degrees: float) -> NDArray[np.float32]:
    """Unit vectors in the plane, float32 [n, 2]."""
    angle = np.radians(np.array(degrees))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_classes_far_apart_are_found_perfectly() -> None:
    found = figures(on_circle(0, 1, 90, 91), np.array(["a", "a", "b", "b"]))

    assert (found.map, found.r_at_1) == (1.0, 1.0)
    assert found.p_at_10 == pytest.approx(1 / 3)  # one right among the three others there are


def test_average_precision_is_that_of_the_whole_ranking() -> None:
    found = figures(on_circle(0, 10, 20, 31, 42), np.array(["a", "b", "a", "c", "a"]))

    asked_with_0 = (1 / 2 + 2 / 4) / 2  # answers 10, 20 a, 31, 42 a
    asked_with_20 = (1 / 3 + 2 / 4) / 2  # answers 10, 31, 0 a, 42 a
    asked_with_42 = (1 / 2 + 2 / 4) / 2  # answers 31, 20 a, 10, 0 a
    assert found.map == pytest.approx((asked_with_0 + asked_with_20 + asked_with_42) / 3)
    assert found.r_at_1 == 0.0


def test_a_class_of_one_photo_asks_nothing_but_answers() -> None:
    with_stranger = figures(on_circle(0, 5, 2), np.array(["a", "a", "alone"]))

    assert with_stranger.map == pytest.approx(1 / 2)
    assert with_stranger.r_at_1 == 0.0


def test_the_length_of_an_embedding_does_not_matter() -> None:
    embeddings = on_circle(0, 30, 100, 130, 20)
    labels = np.array(["a", "a", "b", "b", "b"])
    lengths = np.array([[1.0], [9.0], [0.1], [3.0], [70.0]], dtype=np.float32)

    assert figures(embeddings * lengths, labels) == figures(embeddings, labels)


def test_ten_answers_are_counted_even_if_more_are_right() -> None:
    labels = np.array(["a"] * 12 + ["b"] * 12)
    embeddings = on_circle(*range(12), *range(90, 102))

    assert figures(embeddings, labels).p_at_10 == 1.0


def test_nothing_to_find_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(ValueError, match="folder of class folders"):
        figures(on_circle(0, 1), np.array(["a", "b"]))
