"""How much two rankings agree, and how well one finds what lies in the same folder."""

import pytest

from lookalike.search.agreement import Figures, figures_of, overlap


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [("abcd", "dcba", 1.0), ("abcd", "abxy", 0.5), ("abcd", "ab", 0.5), ("", "", 1.0), ("a", "", 0.0)],
)
def test_overlap_is_the_share_that_both_have(one: str, other: str, share: float) -> None:
    assert overlap([*one], [*other], 10) == share


def test_only_the_first_are_looked_at() -> None:
    assert overlap(["a", "b"], ["a", "c"], 1) == 1.0


def test_the_average_precision_is_that_of_the_textbook() -> None:
    # Right at ranks 1 and 3 of two others: (1/1 + 2/3) / 2.
    found = figures_of([("cats/1", ["cats/2", "dogs/1", "cats/3"])], {"cats": 3, "dogs": 1}, depth=100)

    assert found == Figures(map=0.8333, p_at_10=0.6667, r_at_1=1.0)


def test_what_is_not_found_within_the_depth_counts_as_missed() -> None:
    found = figures_of([("cats/1", ["dogs/1", "cats/2"])], {"cats": 3, "dogs": 1}, depth=2)

    assert found == Figures(map=0.25, p_at_10=0.5, r_at_1=0.0)


def test_a_photo_that_is_alone_in_its_folder_asks_nothing() -> None:
    assert figures_of([("alone/1", ["cats/1"])], {"alone": 1, "cats": 2}, depth=10) == Figures(None, None, None)
