"""What a person said of two contents: which of several verdicts counts, and what they do to pairs and groups."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lookalike.duplicates.groups import Label
from lookalike.duplicates.verdict_messages import Content, NewVerdict, instant, new_verdicts
from lookalike.duplicates.verdicts import Verdict, Verdicts, apply_verdicts, parse_line
from lookalike.errors import Refused
from worker.duplicates.kept import ContentPair

NOW = datetime(2026, 11, 30, 1, 2, 3, 4, tzinfo=UTC)
ONE, TWO, THREE = (digit * 64 for digit in "123")
SHA = {"one.jpg": ONE, "two.jpg": TWO, "three.jpg": THREE}


def said(a: str, b: str, verdict: Verdict, **rest: Any) -> NewVerdict:
    return NewVerdict(a=Content(path=a), b=Content(path=b), verdict=verdict, **rest)


def recorded(*told: NewVerdict, known: Verdicts | None = None, now: datetime = NOW) -> Verdicts:
    known = known or Verdicts()
    return Verdicts([*known, *new_verdicts(told, SHA, known, now)])


def pair(a: str, b: str, label: Label = "near") -> ContentPair:
    return ContentPair(a, b, label, 0.9)


def test_the_order_of_the_two_does_not_matter() -> None:
    forth = recorded(said("one.jpg", "two.jpg", "same", better="b"))
    back = recorded(said("two.jpg", "one.jpg", "same", better="a"))

    assert list(forth) == list(back)
    assert forth.better_of(TWO, ONE) == back.better_of(ONE, TWO) == TWO


def test_the_newest_counts_in_whatever_order_they_come() -> None:
    first = recorded(said("one.jpg", "two.jpg", "keep-both"))
    second = recorded(said("one.jpg", "two.jpg", "not-duplicates"), known=first, now=NOW + timedelta(seconds=1))
    third = recorded(said("one.jpg", "two.jpg", "none"), known=second, now=NOW + timedelta(seconds=2))
    all_three = [*first, *second, *third]

    for order in itertools.permutations(all_three):
        assert list(Verdicts(order)) == list(third)


def test_a_clock_that_was_set_back_does_not_keep_an_older_verdict() -> None:
    first = recorded(said("one.jpg", "two.jpg", "keep-both"))
    second = recorded(said("one.jpg", "two.jpg", "not-duplicates"), known=first, now=NOW - timedelta(days=400))

    assert second.says("not-duplicates", ONE, TWO)
    assert [each.at for each in second] == ["2026-11-30T01:02:03.000005Z"]


def test_what_is_said_again_or_withdraws_nothing_changes_nothing() -> None:
    known = recorded(said("one.jpg", "two.jpg", "keep-both"))

    assert new_verdicts([said("two.jpg", "one.jpg", "keep-both")], SHA, known, NOW + timedelta(days=1)) == []
    assert new_verdicts([said("one.jpg", "three.jpg", "none")], SHA, known, NOW) == []


def test_an_import_of_older_verdicts_changes_nothing_and_a_newer_one_counts() -> None:
    old = recorded(said("one.jpg", "two.jpg", "keep-both"))
    later = NOW + timedelta(hours=1)
    known = recorded(said("one.jpg", "two.jpg", "not-duplicates"), known=old, now=later)

    assert new_verdicts([NewVerdict.again(each) for each in old], SHA, known, later) == []
    assert new_verdicts([NewVerdict.again(each) for each in known], SHA, old, later) == list(known)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (said("one.jpg", "one.jpg", "not-duplicates"), "same bytes can only be kept both"),
        (said("one.jpg", "one.jpg", "same", better="a"), "same bytes can only be kept both"),
        (said("one.jpg", "gone.jpg", "keep-both"), "'gone.jpg' is not in the index"),
        (said("one.jpg", "two.jpg", "keep-both", at=instant(NOW + timedelta(days=300))), "lies in the future"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(told: NewVerdict, words: str) -> None:
    with pytest.raises(Refused, match=words):
        new_verdicts([told], SHA, Verdicts(), NOW)


def test_a_line_says_all_of_it_and_a_broken_one_what_is_wrong() -> None:
    (verdict,) = recorded(said("one.jpg", "two.jpg", "same", better="b"))

    assert parse_line(verdict.line) == verdict
    assert "\n" not in verdict.line
    for broken, words in (
        (verdict.line[:-9], "Invalid JSON"),
        (verdict.line.replace('"same"', '"equal"'), "verdict: Input should be"),
        (verdict.line.replace(f'"b":"{TWO}"', f'"b":"{"0" * 64}"'), "must be in order"),
        (verdict.line.replace(f'"better":"{TWO}"', f'"better":"{THREE}"'), "must be one of both"),
        (verdict.line.replace("2026-11", "2026-13"), "at: month must be in"),
    ):
        assert broken != verdict.line
        with pytest.raises(ValueError, match=words):
            parse_line(broken)


def test_pairs_that_are_no_duplicates_are_gone_and_the_same_picture_is_a_near_copy() -> None:
    verdicts = recorded(
        said("one.jpg", "two.jpg", "not-duplicates"),
        said("one.jpg", "three.jpg", "same", better="a"),
        said("two.jpg", "three.jpg", "keep-both"),
    )
    found = [pair(ONE, TWO), pair(ONE, THREE, "similar"), pair(TWO, THREE)]

    assert list(apply_verdicts(found, verdicts)) == [pair(ONE, THREE, "near"), pair(TWO, THREE)]


def test_a_withdrawn_verdict_hides_nothing() -> None:
    hidden = recorded(said("one.jpg", "two.jpg", "not-duplicates"))
    shown = recorded(said("one.jpg", "two.jpg", "none"), known=hidden, now=NOW + timedelta(seconds=1))

    assert list(apply_verdicts([pair(ONE, TWO)], hidden)) == []
    assert list(apply_verdicts([pair(ONE, TWO)], shown)) == [pair(ONE, TWO)]
