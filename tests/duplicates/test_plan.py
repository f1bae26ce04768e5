"""Which file of a group is kept, and why; and that nothing is proposed to be moved whose picture is not kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.duplicates.groups import LABELS, Group
from lookalike.duplicates.plan import COPIES, Keeping, PlannedGroup, Savings, plan_group, planned, saved_bytes
from lookalike.duplicates.preference import KeepRule
from lookalike.duplicates.verdicts import PairVerdict, Verdict, Verdicts, contents_of
from lookalike.errors import Refused
from tests.duplicates.samples import facts, group, sha256_of

AT = "2026-11-30T00:00:00.000000Z"


def told(a: str, b: str, verdict: Verdict, better: str | None = None) -> PairVerdict:
    one, other = contents_of(sha256_of(a), sha256_of(b))
    return PairVerdict(a=one, b=other, verdict=verdict, better=better and sha256_of(better), at=AT)


def plan(of: Group, rule: str = "best", *verdicts: PairVerdict, protected: tuple[str, ...] = ()) -> PlannedGroup:
    return plan_group(of, Keeping(KeepRule.parsed(rule), protected, Verdicts(verdicts)))


def reasons(made: PlannedGroup) -> dict[str, str]:
    return {file.path: f"{file.action}: {file.reason}" for file in made.files}


SMALL_OLD = facts("a/small.jpg", width_px=20, size_bytes=400, taken_at="2001-02-03T04:05:06")
LARGE = facts("b/large.jpg", width_px=80)
HEAVY = facts("c/heavy.png", size_bytes=9000, format="PNG")


@pytest.mark.parametrize(
    ("rule", "keep", "why"),
    [
        ("best", "b/large.jpg", "most pixels, 80x30"),
        ("oldest", "a/small.jpg", "oldest, taken 2001-02-03"),
        ("largest", "c/heavy.png", "most bytes, 9,000"),
        ("in:c", "c/heavy.png", "in 'c'"),
        ("in:nowhere", "b/large.jpg", "none is in 'nowhere'; most pixels, 80x30"),
    ],
)
def test_a_rule_keeps_one_and_says_why(rule: str, keep: str, why: str) -> None:
    made = plan(group(SMALL_OLD, LARGE, HEAVY, labels="same"), rule)

    assert (made.keep, made.why, made.files[0].reason) == (keep, why, why)
    assert [file.path for file in made.moved] == [file.path for file in made.files[1:]]


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        ({"taken_at": "2020-01-01T00:00:00"}, {"size_bytes": 5000}, "its EXIF has the date"),
        ({"format": "DNG"}, {"size_bytes": 5000}, "DNG is the better format"),
        ({"size_bytes": 1001}, {"mtime_ns": 1}, "most bytes, 1,001"),
        ({"mtime_ns": 10**18}, {}, "oldest, changed 2001-09-09"),
        ({"path": "a.jpg"}, {"path": "b.jpg"}, "all are alike, and its path is the first"),
        ({"mtime_ns": -(2**62)}, {"mtime_ns": 2**62}, "oldest, changed 1823-11-12"),
    ],
)
def test_of_as_many_pixels_the_next_difference_decides(better: dict[str, Any], worse: dict[str, Any], why: str) -> None:
    one, other = facts(**{"path": "x.jpg", **better}), facts(**{"path": "w.jpg", **worse})

    made = plan(group(other, one))

    assert (made.keep, made.why) == (one.path, why)


def test_what_is_moved_names_its_copy_and_what_it_has_over_it() -> None:
    made = plan(group(SMALL_OLD, LARGE, HEAVY, labels=["near", "same"]), "in:c")

    assert reasons(made) == {
        "c/heavy.png": "keep: in 'c'",
        "b/large.jpg": "move: a copy of 'c/heavy.png', but it has more pixels, 80x30",
        "a/small.jpg": "move: the same pixels as 'c/heavy.png', but it has a date in its EXIF",
    }


def test_files_near_the_centre_alone_keep_the_centre() -> None:
    left, right = facts("left.jpg", mtime_ns=1), facts("right.jpg")
    made = plan(group(LARGE, left, right), "oldest")

    assert reasons(made) == {
        "left.jpg": "keep: oldest, changed 1970-01-01",
        "b/large.jpg": "keep: the others are copies of it, and not all of them of 'left.jpg'",
        "right.jpg": "move: a copy of 'b/large.jpg'",
    }


def test_the_same_pixels_as_the_centre_stand_for_it() -> None:
    again, crop = facts("again.png", format="PNG", mtime_ns=1), facts("crop.jpg")
    made = plan(group(LARGE, again, crop, labels=["same", "near"]), "oldest")

    assert reasons(made) == {
        "again.png": "keep: oldest, changed 1970-01-01",
        "b/large.jpg": "move: the same pixels as 'again.png', but it has more pixels, 80x30",
        "crop.jpg": "move: a copy of 'again.png'",
    }


def test_a_protected_folder_loses_nothing() -> None:
    made = plan(group(LARGE, SMALL_OLD, HEAVY), "best", protected=("a", "c/heavy"))

    assert reasons(made) == {
        "b/large.jpg": "keep: most pixels, 80x30",
        "a/small.jpg": "keep: in the protected folder 'a'",
        "c/heavy.png": "move: a copy of 'b/large.jpg'",
    }


def test_another_picture_and_what_belongs_together_stay() -> None:
    made = plan(group(LARGE, SMALL_OLD, HEAVY, labels=["similar", "companion"]))

    assert [file.action for file in made.files] == ["keep"] * 3
    assert reasons(made)["a/small.jpg"] == "keep: another picture of the same thing"
    assert reasons(made)["c/heavy.png"] == "keep: belongs to another file of the group"


def test_who_said_keep_both_keeps_both() -> None:
    made = plan(group(LARGE, SMALL_OLD, HEAVY), "best", told("b/large.jpg", "c/heavy.png", "keep-both"))

    assert reasons(made)["c/heavy.png"] == "keep: you said: keep both"
    assert [file.path for file in made.moved] == ["a/small.jpg"]


def test_of_a_content_to_be_kept_twice_all_files_stay_and_of_two_contents_one_of_each() -> None:
    twice = [facts(f"copy{number}.jpg", sha256=LARGE.sha256) for number in (1, 2)]
    files = group(LARGE, *twice, HEAVY, labels=["exact", "exact", "near"])

    one_content = plan(files, "best", told("b/large.jpg", "b/large.jpg", "keep-both"))
    two_contents = plan(files, "best", told("b/large.jpg", "c/heavy.png", "keep-both"))

    assert [file.path for file in one_content.moved] == ["c/heavy.png"]
    assert [file.path for file in two_contents.moved] == ["copy1.jpg", "copy2.jpg"]


def test_the_better_one_by_a_person_wins_over_the_rule() -> None:
    made = plan(group(LARGE, SMALL_OLD), "best", told("b/large.jpg", "a/small.jpg", "same", "a/small.jpg"))

    assert made.keep == "a/small.jpg"
    assert made.why == "you said that it is better than another one; the only one to choose from"


def test_persons_who_contradict_themselves_leave_it_to_the_rule() -> None:
    circle = [
        told("b/large.jpg", "a/small.jpg", "same", "a/small.jpg"),
        told("a/small.jpg", "c/heavy.png", "same", "c/heavy.png"),
        told("c/heavy.png", "b/large.jpg", "same", "b/large.jpg"),
    ]
    assert plan(group(LARGE, SMALL_OLD, HEAVY), "best", *circle).keep == "b/large.jpg"


def test_no_copy_by_a_persons_word_is_not_moved_for_it() -> None:
    made = plan(
        group(LARGE, SMALL_OLD, HEAVY, labels="same"), "best", told("b/large.jpg", "c/heavy.png", "not-duplicates")
    )

    assert reasons(made)["c/heavy.png"] == "keep: no copy of what is kept"


def test_the_savings_are_of_what_is_moved() -> None:
    plans = planned([group(LARGE, SMALL_OLD), group(HEAVY, facts("d.jpg", size_bytes=7))], Keeping())

    assert Savings.of(plans) == Savings(groups=2, files=2, size_bytes=407)


def test_a_file_in_two_groups_of_copies_is_refused_and_may_be_in_one_of_others() -> None:
    with pytest.raises(ValueError, match=r"'b/large\.jpg' is in two groups"):
        list(planned([group(LARGE, SMALL_OLD), group(HEAVY, LARGE)], Keeping()))

    plans = planned([group(LARGE, SMALL_OLD), group(HEAVY, LARGE, labels="similar")], Keeping())
    assert [len(each.moved) for each in plans] == [1, 0]


@pytest.mark.parametrize("text", ["", "in", "in:", "in:/", "in:../x", "in:/etc", "newest", "best:", "Best"])
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        KeepRule.parsed(text)


@st.composite
def keepings(draw: st.DrawFn) -> tuple[Group, Keeping]:
    """A group of up to six files of few contents, folders, sizes and verdicts, and a wish."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True))
    contents = [draw(st.sampled_from(["x", "y", name])) for name in names]
    files = [
        facts(
            f"{draw(st.sampled_from(['p', 'q']))}/{name}",
            sha256=sha256_of(content),
            width_px=draw(st.integers(1, 3)),
            mtime_ns=draw(st.integers(0, 2)) * 10**9,
        )
        for name, content in zip(names, contents, strict=True)
    ]
    labels = ["exact" if file.sha256 == files[0].sha256 else draw(st.sampled_from(LABELS[1:])) for file in files[1:]]
    verdicts = []
    for one, other in draw(st.lists(st.tuples(st.sampled_from(contents), st.sampled_from(contents)), max_size=4)):
        possible: list[Verdict] = ["keep-both"] if one == other else ["keep-both", "not-duplicates", "same", "none"]
        said = draw(st.sampled_from(possible))
        verdicts.append(told(one, other, said, one if said == "same" else None))
    rule = KeepRule.parsed(draw(st.sampled_from(["best", "oldest", "largest", "in:p"])))
    return group(*files, labels=labels), Keeping(rule, draw(st.sampled_from([(), ("q",)])), Verdicts(verdicts))


@given(keepings())
def test_whatever_is_moved_is_a_copy_of_a_kept_file_by_the_verdict_on_the_two(case: tuple[Group, Keeping]) -> None:
    of, keeping = case
    made = plan_group(of, keeping)
    kept = {file.path: file.facts for file in made.files if file.action == "keep"}
    labels = {pair.b: pair.label for pair in of.pairs} | {of.centre: "exact"}

    assert sorted(file.path for file in made.files) == sorted(of.paths)
    assert made.keep in kept
    for file in made.moved:
        assert not any(file.path.startswith(f"{folder}/") for folder in keeping.protected)
        other = kept[file.copy_of or ""]
        assert not keeping.verdicts.says("not-duplicates", file.facts.sha256, other.sha256)
        via_centre = {labels[file.path], labels[other.path]}
        is_direct = of.centre in {file.path, other.path}
        assert (
            file.facts.sha256 == other.sha256
            or (is_direct and via_centre <= COPIES)
            or (via_centre <= COPIES and via_centre & {"exact", "same"})
        )
    reordered = of.model_copy(update={"files": of.files[::-1], "paths": of.paths[::-1], "pairs": of.pairs[::-1]})
    assert plan_group(reordered, keeping) == made
    assert saved_bytes(reordered, keeping) == Savings.of([made]).size_bytes
