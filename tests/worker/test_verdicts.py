"""Verdicts at the store and in the file of the data folder: each mends the other, and neither keeps half a verdict."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from lookalike.duplicates.verdict_messages import Content, NewVerdict, ReadVerdicts, VerdictReply
from lookalike.duplicates.verdicts import Verdict, Verdicts
from lookalike.errors import CollectionMismatch, Refused
from lookalike.messages import SyncMessage
from models.contract import read_card
from tests.support.pictures import encoded, picture
from worker.index.collection import ensure
from worker.index.collection_spec import CollectionSpec
from worker.index.qdrant import QdrantIndex
from worker.syncing.sync import Sync
from worker.verdicts.contents import sha256_by_path
from worker.verdicts.kept import KeptVerdicts
from worker.verdicts.lines import VerdictLines
from worker.verdicts.points import VerdictPoints

LIBRARY = "the-library"
Kept = Callable[..., KeptVerdicts]


def content(number: int) -> str:
    return f"{number:064x}"


def said(a: int, b: int, verdict: Verdict = "keep-both") -> NewVerdict:
    return NewVerdict(a=Content(sha256=content(a)), b=Content(sha256=content(b)), verdict=verdict)


def told(verdicts: Verdicts) -> dict[tuple[int, int], str]:
    return {(int(each.a, 16), int(each.b, 16)): each.verdict for each in verdicts}


def unknown(_paths: Sequence[str]) -> dict[str, str]:
    raise AssertionError("no path was given")


@pytest.fixture
def points(store: QdrantClient, collection: str) -> Iterator[VerdictPoints]:
    assert store.collection_exists(collection)
    points = VerdictPoints(store, "tests")
    yield points
    store.delete_collection(points.name)


@pytest.fixture
def lines(tmp_path: Path) -> VerdictLines:
    return VerdictLines(tmp_path / "verdicts.jsonl")


@pytest.fixture
def kept(points: VerdictPoints, lines: VerdictLines) -> KeptVerdicts:
    return KeptVerdicts(points, lines, unknown)


def test_what_was_said_is_at_the_store_and_in_the_file(
    kept: KeptVerdicts, points: VerdictPoints, lines: VerdictLines
) -> None:
    assert kept.record([said(1, 2), said(3, 1, "not-duplicates")]) == VerdictReply(recorded=2)
    assert kept.record([said(2, 1), said(1, 2, "none")]) == VerdictReply(recorded=1, unchanged=1)

    expected = {(1, 2): "none", (1, 3): "not-duplicates"}
    assert told(points.read()) == told(lines.read()) == told(kept.read()) == expected
    assert lines.file.stat().st_mode & 0o777 == 0o600


def test_of_a_file_and_a_collection_one_may_be_lost(
    kept: KeptVerdicts, store: QdrantClient, points: VerdictPoints, lines: VerdictLines
) -> None:
    kept.record([said(1, 2), said(1, 3)])

    store.delete_collection(points.name)
    kept.record([said(4, 5)])
    assert told(points.read()).keys() == {(1, 2), (1, 3), (4, 5)}

    lines.file.unlink()
    kept.mend()
    assert told(lines.read()).keys() == {(1, 2), (1, 3), (4, 5)}

    store.delete_collection(points.name)
    kept.mend()
    assert told(points.read()).keys() == {(1, 2), (1, 3), (4, 5)}


def test_of_two_that_went_apart_the_newer_verdict_counts_on_both_sides(
    kept: KeptVerdicts, points: VerdictPoints, lines: VerdictLines
) -> None:
    elsewhere = KeptVerdicts(points, None, unknown)
    kept.record([said(1, 2), said(1, 3)])
    elsewhere.record([said(1, 2, "not-duplicates")])
    lines.add(
        [each.model_copy(update={"at": "2126-01-01T00:00:00.000000Z", "verdict": "none"}) for each in lines.read()][1:]
    )

    assert told(kept.read()) == told(points.read()) == told(lines.read()) == {(1, 2): "not-duplicates", (1, 3): "none"}


def test_where_nothing_was_said_no_collection_is_made(kept: KeptVerdicts, points: VerdictPoints) -> None:
    kept.mend()

    assert not points.exist()


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_line_that_a_crash_cut_off_spoils_no_other(kept: KeptVerdicts, lines: VerdictLines, cut: int) -> None:
    kept.record([said(1, 2), said(1, 3)])
    os.truncate(lines.file, lines.file.stat().st_size - cut)
    # A line without its end is whole.
    left = {(1, 2), (1, 3)} if cut == 1 else {(1, 2)}
    assert told(lines.read()).keys() == left

    lines.add(VerdictLines(lines.file).read())
    assert told(lines.read()).keys() == left
    kept.read()
    assert told(lines.read()).keys() == {(1, 2), (1, 3)}


def test_a_file_that_is_no_text_is_no_end_of_the_verdicts(kept: KeptVerdicts, lines: VerdictLines) -> None:
    lines.file.write_bytes(b"\xff\xfe\x00 nothing\n\n[]\n")
    kept.record([said(1, 2)])

    assert told(lines.read()) == {(1, 2): "keep-both"}


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_half_kept(
    kept: KeptVerdicts, points: VerdictPoints, lines: VerdictLines
) -> None:
    lines.file.mkdir()

    with pytest.raises(Refused, match=r"verdicts\.jsonl cannot be .* see that the disk has room"):
        kept.record([said(1, 2)])
    assert told(points.read()) == {}


def test_one_fault_among_many_and_none_is_kept(kept: KeptVerdicts, points: VerdictPoints) -> None:
    with pytest.raises(Refused, match="same bytes"):
        kept.record([said(1, 2), said(3, 3, "not-duplicates")])

    assert told(points.read()) == {}


def test_pages_have_each_verdict_once(kept: KeptVerdicts) -> None:
    kept.record([said(0, number) for number in range(1, 8)])
    pages: list[list[int]] = []
    after: str | None = None
    while True:
        page = kept.page(ReadVerdicts(after=after, limit=3))
        pages.append([int(each.b, 16) for each in page.verdicts])
        after = page.next
        if after is None:
            break

    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(chain.from_iterable(pages)) == [*range(1, 8)]


def test_more_than_a_request_takes_are_read_and_mended(kept: KeptVerdicts, lines: VerdictLines) -> None:
    kept.record([said(0, 1)])
    (one,) = lines.read()
    lines.add(one.model_copy(update={"b": content(number)}) for number in range(1, 2101))

    assert len(kept.read()) == 2100
    assert len(kept.points.read()) == 2100


def test_a_rebuild_and_another_model_keep_them_and_a_foreign_collection_stays_untouched(
    store: QdrantClient, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.index.collection.INDEXED_FIELDS", {})
    spec = CollectionSpec("verdictly", read_card(model), "cosine", library_id=LIBRARY)
    own = KeptVerdicts(VerdictPoints(store, "verdictly"), None, unknown)
    own.record([said(1, 2)])
    ensure(store, spec)
    made = ensure(store, spec, rebuild=True)

    assert made.is_new
    assert told(own.read()) == {(1, 2): "keep-both"}

    store.delete_collection(own.points.name)
    store.create_collection(own.points.name, vectors_config={"theirs": VectorParams(size=2, distance=Distance.DOT)})
    with pytest.raises(CollectionMismatch, match="not made by lookalike for verdicts: set another LOOKALIKE_NAME"):
        own.record([said(1, 2)])
    for name in (made.name, own.points.name):
        store.delete_collection(name)


def test_paths_stand_for_their_contents_and_a_moved_file_keeps_its_verdict(
    sync: Sync, root: Path, index: QdrantIndex, points: VerdictPoints
) -> None:
    for seed in (1, 2):
        (root / f"{seed}.png").write_bytes(encoded(picture(seed)))
    (root / "bad.png").write_bytes(b"nothing")
    sync.sync_paths(SyncMessage(paths=["1.png", "2.png", "bad.png"]))
    kept = KeptVerdicts(points, None, lambda paths: sha256_by_path(index.handle, paths))
    by_path = NewVerdict(a=Content(path="1.png"), b=Content(path="2.png"), verdict="not-duplicates")
    assert kept.record([by_path]) == VerdictReply(recorded=1)

    (root / "1.png").rename(root / "moved.png")
    sync.sync_paths(SyncMessage(paths=["moved.png"], gone=["1.png"], library=LIBRARY))

    moved = NewVerdict(a=Content(path="2.png"), b=Content(path="moved.png"), verdict="not-duplicates")
    assert kept.record([moved]) == VerdictReply(unchanged=1)
    (verdict,) = kept.read()
    assert json.loads(verdict.line)["verdict"] == "not-duplicates"
    with pytest.raises(Refused, match=r"'bad\.png' is not in the index: name two indexed files"):
        kept.record([NewVerdict(a=Content(path="bad.png"), b=Content(path="2.png"), verdict="keep-both")])
