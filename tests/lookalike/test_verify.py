"""A comparison tells what is lost, left over, out of date or wrong, and calls it pending while work is left."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lookalike.errors import Refused
from lookalike.library.folder import FolderLibrary
from lookalike.library.rules import Candidates
from lookalike.library.version import version_of
from lookalike.messages import KnownFile
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import By
from lookalike.verify import Comparison, Verification


@dataclass
class Known:
    """An index of a few files that somebody made up."""

    entries: dict[str, KnownFile] = field(default_factory=dict)
    at_rest: list[bool] = field(default_factory=lambda: [True])
    similar: dict[bytes, list[Neighbour]] = field(default_factory=dict)
    vectors: tuple[By, ...] = ("embedding",)
    copies: dict[bytes, list[Neighbour]] = field(default_factory=dict)

    def files(self) -> Iterator[KnownFile]:
        yield from list(self.entries.values())

    def known(self, paths: list[str]) -> dict[str, KnownFile]:
        assert len(paths) <= 1000
        return {path: self.entries[path] for path in paths if path in self.entries}

    def is_at_rest(self) -> bool:
        return self.at_rest.pop(0) if len(self.at_rest) > 1 else self.at_rest[0]

    def nearest(self, blob: bytes, by: By) -> list[Neighbour]:
        if blob not in self.similar:
            raise Refused("not an image")
        return (self.similar if by == "embedding" else self.copies)[blob]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def index(root: Path) -> Known:
    """Ten files, all of them known as they are."""
    index = Known()
    for number in range(10):
        put(root, index, f"folder {number % 2}/{number}.jpg")
    return index


def put(root: Path, index: Known, name: str, **changed: object) -> Path:
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name, "utf-8", "surrogateescape")
    version = version_of(path.stat())
    file = KnownFile(
        path=name,
        status="indexed",
        version=version.token,
        size_bytes=version.size_bytes,
        mtime_ns=version.mtime_ns,
    )
    index.entries[name] = file.model_copy(update=changed)
    return path


def compared(root: Path, index: Known, deep: int = 0) -> Comparison:
    return Verification(FolderLibrary(root, Candidates(("jpg",))), index, deep=deep, sleep=lambda _: None).run()


def test_a_library_that_is_all_known_agrees(root: Path, index: Known) -> None:
    put(root, index, "broken.jpg", status="rejected")
    (root / "notes.txt").write_text("no candidate")

    found = compared(root, index)

    assert found.numbers() == {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 1, "pending": 0}
    assert not found.is_broken


def test_what_differs_is_counted_by_kind_and_named(root: Path, index: Known) -> None:
    del index.entries["folder 0/0.jpg"]
    (root / "folder 1/1.jpg").unlink()
    os.utime(root / "folder 1/3.jpg", ns=(1, 1))
    (root / "folder 1/5.jpg").write_text("longer than before")

    found = compared(root, index)

    assert found.numbers() == {"lost": 1, "ghosts": 1, "stale": 2, "rejected": 0, "pending": 0}
    assert found.is_broken
    assert (found.lost.paths, found.ghosts.paths) == (["folder 0/0.jpg"], ["folder 1/1.jpg"])
    assert sorted(found.stale.paths) == ["folder 1/3.jpg", "folder 1/5.jpg"]


@pytest.mark.parametrize("at_rest", [[False], [True, False], [False, True]])
def test_while_work_is_left_a_difference_is_pending(root: Path, index: Known, at_rest: list[bool]) -> None:
    del index.entries["folder 0/0.jpg"]
    (root / "folder 1/1.jpg").unlink()
    index.at_rest = at_rest

    found = compared(root, index)

    assert found.numbers() == {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 0, "pending": 2}
    assert not found.is_broken


def test_what_is_put_right_meanwhile_does_not_differ(root: Path, index: Known) -> None:
    lost = index.entries.pop("folder 0/0.jpg")
    (root / "folder 1/1.jpg").unlink()

    def wait(_: float) -> None:
        index.entries[lost.path] = lost
        del index.entries["folder 1/1.jpg"]

    found = Verification(FolderLibrary(root, Candidates(("jpg",))), index, sleep=wait).run()

    assert not found.is_broken


def test_more_than_a_message_holds_is_still_counted(root: Path) -> None:
    for number in range(1500):
        (root / f"{number}.jpg").write_text("")

    found = compared(root, Known())

    assert (found.lost.count, len(found.lost.paths)) == (1500, 1000)


def test_names_that_cannot_be_said_and_refused_permissions_are_rejected_and_not_stale(root: Path) -> None:
    index = Known()
    (root / "caf\udce9.jpg").write_text("")
    unsaid = KnownFile(path="caf\\xe9.jpg", status="rejected", version="7", size_bytes=7, mtime_ns=7)
    index.entries[unsaid.path] = unsaid
    put(root, index, "secret.jpg", status="rejected", version="", size_bytes=0, mtime_ns=-1)

    assert compared(root, index).numbers() == {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 2, "pending": 0}


def test_a_sample_is_embedded_again_and_must_find_itself(root: Path, index: Known) -> None:
    def near(path: str, similarity: float) -> Neighbour:
        return Neighbour(path, similarity, similarity, {})

    index.similar = {path.encode(): [near(path, 1.0), near("other.jpg", 0.5)] for path in index.entries}
    index.similar[b"folder 0/0.jpg"] = [near("other.jpg", 1.0), near("folder 0/0.jpg", 0.99)]
    index.similar[b"folder 0/2.jpg"] = [near("other.jpg", 0.9)]
    index.similar[b"folder 0/4.jpg"] = [near("a copy.jpg", 1.0)]
    del index.similar[b"folder 0/6.jpg"]

    found = compared(root, index, deep=100)

    assert found.checked == 10
    assert sorted(found.wrong.paths) == ["folder 0/0.jpg", "folder 0/2.jpg", "folder 0/6.jpg"]
    assert found.is_broken
    assert compared(root, index, deep=3).checked == 3


def test_every_vector_of_a_sample_must_find_its_file(root: Path, index: Known) -> None:
    itself = {path.encode(): [Neighbour(path, 1.0, 1.0, {})] for path in index.entries}
    index.similar, index.copies, index.vectors = itself, dict(itself), ("embedding", "copy")
    index.copies[b"folder 0/0.jpg"] = [Neighbour("other.jpg", 0.9, 0.9, {})]

    assert compared(root, index, deep=100).wrong.paths == ["folder 0/0.jpg"]
    index.vectors = ("embedding",)
    assert compared(root, index, deep=100).wrong.paths == []


def test_what_the_rules_leave_out_is_a_ghost(root: Path) -> None:
    index = Known()
    put(root, index, "a.jpg")
    put(root, index, "out.jpg")
    rules = Candidates(("jpg",), ignore=("out.*",))

    found = Verification(FolderLibrary(root, rules), index, sleep=lambda _: None).run()

    assert found.ghosts.paths == ["out.jpg"]
