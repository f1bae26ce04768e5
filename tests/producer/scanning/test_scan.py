"""What differs, what moved, and what is too much to remove."""

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.library.errors import LibraryOffline
from lookalike.library.folder import FileEntry, FolderLibrary
from lookalike.library.rules import Candidates
from lookalike.library.version import FileVersion, folder_version
from lookalike.messages import KnownFile
from producer.debounce import Debouncer
from producer.publishing.in_flight import InFlight
from producer.scanning.planner import DeletionGuard, MissingFiles, changed_files
from producer.scanning.scan import SUPERSEDED_AFTER_S, Scan, ScanSuperseded
from producer.scanning.scan_requests import ScanRequests


def known(path: str, size_bytes: int, mtime_ns: int) -> dict[str, KnownFile]:
    version = folder_version(size_bytes, mtime_ns).token
    return {path: KnownFile(path=path, status="indexed", version=version, size_bytes=size_bytes, mtime_ns=mtime_ns)}


@pytest.mark.parametrize("version", [folder_version(1, 3), folder_version(2, 2), folder_version(2, 3)])
def test_a_file_of_another_size_or_time_differs(version: FileVersion) -> None:
    assert changed_files([FileEntry("a", version)], known("a", 1, 2)) == [FileEntry("a", version)]


def test_a_file_of_the_same_size_and_time_does_not() -> None:
    assert changed_files([FileEntry("a", folder_version(1, 2))], known("a", 1, 2)) == []


def test_an_unknown_file_does() -> None:
    assert changed_files([FileEntry("b", folder_version(1, 2))], known("a", 1, 2)) == [
        FileEntry("b", folder_version(1, 2))
    ]


def test_a_file_whose_name_is_not_utf8_is_known_by_its_escaped_name() -> None:
    assert changed_files([FileEntry("\udce9.jpg", folder_version(5, 5))], known("\\xe9.jpg", 0, 0)) == []
    assert len(changed_files([FileEntry("\udce8.jpg", folder_version(5, 5))], known("\\xe9.jpg", 0, 0))) == 1


def test_a_new_file_is_the_new_name_of_a_missing_one_only_once() -> None:
    missing = MissingFiles()
    missing.add_file("old", folder_version(1, 1))

    assert missing.take_move_source(FileEntry("other", folder_version(1, 2))) is None
    assert missing.take_move_source(FileEntry("new", folder_version(1, 1))) == "old"
    assert missing.take_move_source(FileEntry("copy", folder_version(1, 1))) is None
    assert len(missing) == 0


def test_among_twins_the_same_name_is_the_better_guess() -> None:
    missing = MissingFiles()
    for name in ("trip/1.jpg", "trip/2.jpg", "trip/3.jpg"):
        missing.add_file(name, folder_version(1, 1))

    assert missing.take_move_source(FileEntry("journey/2.jpg", folder_version(1, 1))) == "trip/2.jpg"
    assert sorted(missing.unmoved_paths()) == ["trip/1.jpg", "trip/3.jpg"]


def test_what_does_not_fit_in_is_counted() -> None:
    missing = MissingFiles(max_paths=2)
    for number in range(5):
        missing.add_file(str(number), folder_version(number, number))

    assert (len(missing), missing.overflowed, sorted(missing.unmoved_paths())) == (5, 3, ["0", "1"])


stamps = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(lambda pair: folder_version(*pair))


@settings(deadline=None)  # other tests may keep the machine busy
@given(st.lists(stamps), st.lists(stamps))
def test_every_missing_file_either_moved_or_was_deleted(old: list[FileVersion], new: list[FileVersion]) -> None:
    missing = MissingFiles()
    for number, version in enumerate(old):
        missing.add_file(f"old{number}", version)
    moves = [missing.take_move_source(FileEntry(f"new{number}", version)) for number, version in enumerate(new)]

    moved = [name for name in moves if name is not None]
    assert sorted(moved + missing.unmoved_paths()) == sorted(f"old{number}" for number in range(len(old)))
    assert all(old[int(name[3:])] == version for name, version in zip(moves, new, strict=True) if name is not None)
    assert len(missing) == len(missing.unmoved_paths())


@pytest.mark.parametrize(
    ("removed", "indexed", "asks"),
    [(99, 99, False), (100, 100, True), (100, 333, True), (100, 334, False), (301, 1000, True), (300, 1000, False)],
)
def test_a_scan_asks_before_it_removes_a_hundred_files_that_are_three_tenths(
    removed: int, indexed: int, *, asks: bool
) -> None:
    assert DeletionGuard(0.3, 100).blocks(removed, indexed) is asks


def test_a_permission_is_used_up_by_the_scan_that_needs_it() -> None:
    deletion_guard = DeletionGuard(0.3, 100, is_allowed=True)

    assert not deletion_guard.blocks(50, 100)
    assert not deletion_guard.is_used
    assert not deletion_guard.blocks(100, 100)
    assert deletion_guard.is_used


def scan_of(library: Path, *, superseded: bool = False) -> Scan:
    requests, times_s = ScanRequests(), itertools.chain([0.0], itertools.repeat(SUPERSEDED_AFTER_S + 1.0))
    if superseded:
        requests.request("a test")
    return Scan(
        FolderLibrary(library, Candidates(("jpg",))),
        # `check` uses neither index nor publisher; test_offline_changes.py tests both with a real broker.
        index=None,  # type: ignore[arg-type]
        scan_publisher=None,  # type: ignore[arg-type]
        settle_s=0.1,
        deletion_guard=DeletionGuard(0.3, 100),
        debouncer=Debouncer(0.1),
        in_flight=InFlight(time.monotonic),
        scan_requests=requests,
        put_event=lambda _: None,
        now_s=lambda: next(times_s),
    )


def test_a_scan_that_runs_for_long_ends_when_another_is_requested(library: Path) -> None:
    scan_of(library).check()

    with pytest.raises(ScanSuperseded):
        scan_of(library, superseded=True).check()


def test_a_scan_ends_when_its_library_is_another_folder(library: Path) -> None:
    scan = scan_of(library)
    library.rename(library.with_name("before"))

    with pytest.raises(LibraryOffline, match="missing"):
        scan.check()
    library.mkdir()
    with pytest.raises(LibraryOffline, match="another folder"):
        scan.check()
