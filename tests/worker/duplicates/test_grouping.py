"""Groups around a centre, and companions: the same whatever the order, and never a chain."""

from itertools import pairwise
from random import Random

import pytest

from lookalike.duplicates.groups import FileFacts, Group, Label
from lookalike.duplicates.plan import Keeping, saved_bytes
from worker.duplicates.companions import companions
from worker.duplicates.grouping import groups_of
from worker.duplicates.kept import ContentPair


def file(path: str, content: str | None = None, taken_at: str | None = None, size: int = 10) -> FileFacts:
    return FileFacts(
        path=path,
        sha256=content or path,
        size_bytes=size,
        mtime_ns=0,
        width_px=10,
        height_px=10,
        format="JPEG",
        taken_at=taken_at,
    )


def pair(a: str, b: str, label: Label = "near", similarity: float = 0.9) -> ContentPair:
    return ContentPair(min(a, b), max(a, b), label, similarity)


def grouped(files: list[FileFacts], pairs: list[ContentPair]) -> list[Group]:
    by_content: dict[str, list[FileFacts]] = {}
    for one in sorted(files, key=lambda one: one.path):
        by_content.setdefault(one.sha256, []).append(one)
    return sorted(groups_of(by_content, pairs), key=lambda group: group.centre)


def test_a_chain_makes_no_group_of_all() -> None:
    names = [f"{number:02}" for number in range(30)]
    groups = grouped([file(name) for name in names], [pair(a, b) for a, b in pairwise(names)])
    linked = {frozenset(one) for one in pairwise(names)}
    assert max(len(group.paths) for group in groups) == 3
    assert all(frozenset((group.centre, path)) in linked for group in groups for path in group.paths[1:])


def test_every_pair_of_a_group_begins_at_its_centre_and_each_path_has_one() -> None:
    names = [f"{number:02}" for number in range(40)]
    draw = Random(1)
    pairs = [pair(a, b) for a in names for b in names if a < b and draw.random() < 0.1]
    groups = grouped([file(name) for name in names], pairs)
    for group in groups:
        assert group.paths == [group.centre, *(one.b for one in group.pairs)]
        assert {one.a for one in group.pairs} == {group.centre}
        assert [one.path for one in group.files] == group.paths
    paths = [path for group in groups for path in group.paths]
    assert len(paths) == len(set(paths))


def test_the_order_of_files_and_pairs_counts_for_nothing() -> None:
    names = [f"{number:02}" for number in range(40)]
    draw = Random(2)
    pairs = [pair(a, b, similarity=draw.random()) for a in names for b in names if a < b and draw.random() < 0.2]
    files = [file(name, f"content {number % 30}") for number, name in enumerate(names)]
    known = {one.sha256 for one in files}
    pairs = [
        pair(a, b, similarity=draw.random())
        for a in sorted(known)
        for b in sorted(known)
        if a < b and draw.random() < 0.2
    ]
    first = grouped(files, pairs)
    for _ in range(5):
        draw.shuffle(files)
        draw.shuffle(pairs)
        assert grouped(files, pairs) == first


def test_files_of_one_content_are_exact_and_the_least_sure_pair_names_the_group() -> None:
    files = [file("a.jpg", "1", size=5), file("b.jpg", "1", size=5), file("c.jpg", "2", size=9)]
    (group,) = grouped(files, [pair("1", "2", "near")])
    assert (group.centre, group.label) == ("a.jpg", "near")
    assert [(one.b, one.label) for one in group.pairs] == [("b.jpg", "exact"), ("c.jpg", "near")]
    assert saved_bytes(group, Keeping()) == 10


def test_a_similar_picture_is_no_copy() -> None:
    files = [file(name) for name in "abc"]
    groups = grouped(files, [pair("a", "b", "near"), pair("a", "c", "similar")])
    assert [(group.label, group.paths) for group in groups] == [("near", ["a", "b"]), ("similar", ["a", "c"])]
    assert saved_bytes(groups[1], Keeping()) == 0


AT, LATER = "2026-05-01T10:00:00", "2026-05-01T10:00:09"


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (("x/IMG_1.CR2", "x/IMG_1.JPG"), (AT, AT)),
        (("x/IMG_1.NEF", "x/img_1.jpg"), (None, AT)),
        (("IMG_1.HEIC", "IMG_1.jpg"), (AT, AT)),
        (("IMG_1234.HEIC", "IMG_E1234.HEIC"), (AT, AT)),
        (("PXL_1.jpg", "PXL_1-edited.jpg"), (AT, AT)),
        (("a.jpg", "a_edit.jpg"), (None, None)),
        (("a.jpg", "a (edited).png"), (None, None)),
    ],
)
def test_files_that_belong_together_are_companions_and_never_near(
    names: tuple[str, str], times: tuple[str | None, str | None]
) -> None:
    files = [file(name, taken_at=at) for name, at in zip(names, times, strict=True)]
    (group,) = grouped(files, [pair(*names, "near", 0.97)])
    assert (group.label, group.paths, group.pairs[0].similarity) == ("companion", [*names], 0.97)
    assert saved_bytes(group, Keeping()) == 0


@pytest.mark.parametrize(
    ("names", "times"),
    [
        (("x/IMG_1.CR2", "y/IMG_1.JPG"), (AT, AT)),
        (("IMG_1.CR2", "IMG_1.JPG"), (AT, LATER)),
        (("IMG_1.jpg", "IMG_1.png"), (AT, AT)),
        (("IMG_1.jpg", "IMG_1 (1).jpg"), (AT, AT)),
        (("IMG_1.jpg", "IMG_2-edited.jpg"), (AT, AT)),
    ],
)
def test_others_are_not(names: tuple[str, str], times: tuple[str, str]) -> None:
    assert not list(companions([file(name, taken_at=at) for name, at in zip(names, times, strict=True)]))


def test_a_hundred_pairs_of_raw_and_jpeg_are_companions_beside_their_copies() -> None:
    files = [file(f"{number}.{kind}", taken_at=AT) for number in range(100) for kind in ("dng", "jpg")]
    copies = [file(f"small/{number}.jpg", taken_at=AT) for number in range(100)]
    pairs = [pair(f"{number}.dng", f"{number}.jpg") for number in range(100)]
    pairs += [pair(f"{number}.jpg", f"small/{number}.jpg") for number in range(100)]
    labels = [group.label for group in grouped([*files, *copies], pairs)]
    assert (labels.count("companion"), labels.count("near")) == (100, 100)
