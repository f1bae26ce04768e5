"""What differs, what moved, and what is too much to remove."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.disk import Found, Stamp
from lookalike.messages import KnownFile
from producer.comparing import Vanished, differing


def known(path: str, size_bytes: int, mtime_ns: int) -> dict[str, KnownFile]:
    return {path: KnownFile(path=path, status="indexed", size_bytes=size_bytes, mtime_ns=mtime_ns)}


@pytest.mark.parametrize("stamp", [Stamp(1, 3), Stamp(2, 2), Stamp(2, 3)])
def test_a_file_of_another_size_or_time_differs(stamp: Stamp) -> None:
    assert differing([Found("a", stamp)], known("a", 1, 2)) == [Found("a", stamp)]


def test_a_file_of_the_same_size_and_time_does_not() -> None:
    assert differing([Found("a", Stamp(1, 2))], known("a", 1, 2)) == []


def test_an_unknown_file_does() -> None:
    assert differing([Found("b", Stamp(1, 2))], known("a", 1, 2)) == [Found("b", Stamp(1, 2))]


def test_a_file_whose_name_cannot_be_said_is_known_by_its_escaped_name() -> None:
    assert differing([Found("\udce9.jpg", Stamp(5, 5))], known("\\xe9.jpg", 0, 0)) == []
    assert len(differing([Found("\udce8.jpg", Stamp(5, 5))], known("\\xe9.jpg", 0, 0))) == 1


def test_a_new_file_is_the_new_name_of_a_vanished_one_only_once() -> None:
    vanished = Vanished()
    vanished.add("old", Stamp(1, 1))

    assert vanished.moved_to(Found("other", Stamp(1, 2))) is None
    assert vanished.moved_to(Found("new", Stamp(1, 1))) == "old"
    assert vanished.moved_to(Found("copy", Stamp(1, 1))) is None
    assert len(vanished) == 0


def test_among_twins_the_same_name_is_the_better_guess() -> None:
    vanished = Vanished()
    for name in ("trip/1.jpg", "trip/2.jpg", "trip/3.jpg"):
        vanished.add(name, Stamp(1, 1))

    assert vanished.moved_to(Found("journey/2.jpg", Stamp(1, 1))) == "trip/2.jpg"
    assert sorted(vanished.rest()) == ["trip/1.jpg", "trip/3.jpg"]


def test_what_does_not_fit_in_is_counted() -> None:
    vanished = Vanished(most_paths=2)
    for number in range(5):
        vanished.add(str(number), Stamp(number, number))

    assert (len(vanished), vanished.left_over, sorted(vanished.rest())) == (5, 3, ["0", "1"])


stamps = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(lambda pair: Stamp(*pair))


@settings(deadline=None)  # other tests may keep the machine busy
@given(st.lists(stamps), st.lists(stamps))
def test_every_vanished_file_either_moved_or_was_removed(old: list[Stamp], new: list[Stamp]) -> None:
    vanished = Vanished()
    for number, stamp in enumerate(old):
        vanished.add(f"old{number}", stamp)
    moves = [vanished.moved_to(Found(f"new{number}", stamp)) for number, stamp in enumerate(new)]

    moved = [name for name in moves if name is not None]
    assert sorted(moved + vanished.rest()) == sorted(f"old{number}" for number in range(len(old)))
    assert all(old[int(name[3:])] == stamp for name, stamp in zip(moves, new, strict=True) if name is not None)
    assert len(vanished) == len(vanished.rest())
