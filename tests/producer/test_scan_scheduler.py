"""When to scan, and when to begin anew."""

from pathlib import Path

import pytest

from lookalike.library.rules import Candidates
from producer.deletion_guard import DeletionGuard
from producer.library import Library
from producer.scan import LibraryOffline, Scan, ScanSuperseded
from producer.scan_scheduler import OVERTAKEN_S, is_overtaken, pause_s


def test_between_scans_is_the_setting_or_ten_times_what_a_scan_works() -> None:
    assert pause_s(300.0, 1.0) == 300.0
    assert pause_s(300.0, 60.0) == 600.0


def test_a_long_scan_begins_anew_when_another_was_asked_for() -> None:
    assert is_overtaken(OVERTAKEN_S + 1, asked=True)
    assert not is_overtaken(OVERTAKEN_S + 1, asked=False)
    assert not is_overtaken(OVERTAKEN_S, asked=True)


def scan_of(library: Path, *, overtaken: bool) -> Scan:
    return Scan(
        Library(library, Candidates(("jpg",))),
        # It only checks here and asks and sends nothing; that is tested with a real broker in test_scans.py.
        index=None,  # type: ignore[arg-type]
        outlet=None,  # type: ignore[arg-type]
        settle_s=0.1,
        removals=DeletionGuard(0.3, 100),
        is_pending=lambda *_: False,
        is_overtaken=lambda: overtaken,
        touch=lambda _: None,
    )


def test_a_scan_that_is_overtaken_ends(library: Path) -> None:
    scan_of(library, overtaken=False).check()

    with pytest.raises(ScanSuperseded):
        scan_of(library, overtaken=True).check()


def test_a_scan_ends_when_its_library_is_another_folder(library: Path) -> None:
    scan = scan_of(library, overtaken=False)
    library.rename(library.with_name("before"))

    with pytest.raises(LibraryOffline, match="missing"):
        scan.check()
    library.mkdir()
    with pytest.raises(LibraryOffline, match="another folder"):
        scan.check()
