"""Pages tile the list in one order, however the store orders equal scores, and a page costs few points."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.searching import ranking
from worker.searching.ranking import Hit, Window

LISTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), max_size=60)


def hits_of(made: list[tuple[int, int]], seed: int) -> list[Hit]:
    """As a store has them: best first, equal scores in any order, which is the same in each answer."""
    hits = [Hit(str(at), -float(score), f"{at:02}.jpg", str(content)) for at, (score, content) in enumerate(made)]
    random.Random(seed).shuffle(hits)
    return sorted(hits, key=lambda hit: -hit.score)


def page_of(hits: list[Hit], window: Window) -> tuple[list[Hit], int]:
    """The page, and in how many requests it was found."""
    asked = 0
    while not window.is_done:
        window.take(hits[window.first : window.first + window.count])
        asked += 1
    return window.page(), asked


@given(made=LISTS, seed=st.integers(0, 9), size=st.integers(1, 9))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_pages_are_the_list_by_score_and_path(made: list[tuple[int, int]], seed: int, size: int) -> None:
    hits = hits_of(made, seed)

    pages = [page_of(hits, Window(offset, size))[0] for offset in range(0, len(hits) + size, size)]

    assert [hit for page in pages for hit in page] == sorted(hits, key=lambda hit: (-hit.score, hit.path))


@given(made=LISTS, seed=st.integers(0, 9), size=st.integers(1, 9))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_of_each_content_the_first_is_on_one_page(made: list[tuple[int, int]], seed: int, size: int) -> None:
    hits = hits_of(made, seed)
    firsts: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: (-hit.score, hit.path)):
        firsts.setdefault(hit.content, hit)

    pages = [page_of(hits, Window(offset, size, grouped=True))[0] for offset in range(0, len(hits) + size, size)]

    assert [hit for page in pages for hit in page] == [*firsts.values()]


def test_a_page_among_different_scores_takes_one_request_and_two_points_more() -> None:
    hits = hits_of([(score, score) for score in range(100)], 0)

    for offset, more in ((0, 1), (30, 2)):
        window = Window(offset, 10)
        assert (window.count, window.is_small) == (10 + more, True)
        assert page_of(hits, window) == (hits[offset : offset + 10], 1)


def test_of_very_many_equal_scores_no_more_is_asked_for_than_the_bound() -> None:
    hits = hits_of([(0, at) for at in range(3 * ranking.MOST_POINTS)], 0)
    window = Window(ranking.MOST_POINTS, 10)

    page, asked = page_of(hits, window)

    assert (len(page), window.count <= ranking.MOST_POINTS) == (10, True)
    assert asked < 12
