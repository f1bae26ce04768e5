"""search_priority.py: ingest pauses while a search is answered on the same machine, and never for long."""

import fcntl
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured
from worker.searching.search_priority import NEXT_SEARCH_WITHIN_S, POLL_EVERY_S, SearchPriority


class Clock:
    """Passes only in sleep."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(path: Path | None, clock: Clock) -> SearchPriority:
    return SearchPriority(path, longest_s=0.05, now_s=lambda: clock.now_s, sleep_s=clock.sleep)


def test_without_a_search_nobody_waits(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "searching"
    ingest, other, search = made(path, clock), made(path, clock), made(path, clock)
    search.acquire()
    search.release()

    ingest.yield_to_search()
    other.yield_to_search()

    assert clock.now_s == 0


def test_ingest_waits_until_the_last_search_is_over_and_its_answer_is_there(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "searching"
    ingest, one, two = made(path, clock), made(path, clock), made(path, clock)
    one.acquire()
    two.acquire()
    ends = {0.01: one, 0.02: two}

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        for at_s in [at_s for at_s in ends if clock.now_s >= at_s]:
            ends.pop(at_s).release()

    SearchPriority(path, longest_s=0.05, now_s=lambda: clock.now_s, sleep_s=sleep).yield_to_search()

    assert clock.now_s == pytest.approx(0.02 + NEXT_SEARCH_WITHIN_S, abs=2 * POLL_EVERY_S)
    ingest.yield_to_search()
    assert clock.now_s == pytest.approx(0.02 + NEXT_SEARCH_WITHIN_S, abs=2 * POLL_EVERY_S)


def test_one_search_after_the_other_holds_an_image_up_for_the_longest_pause_only(tmp_path: Path, clock: Clock) -> None:
    ingest, search = made(tmp_path / "searching", clock), made(tmp_path / "searching", clock)

    search.acquire()
    ingest.yield_to_search()

    assert clock.now_s == pytest.approx(0.05, abs=2 * POLL_EVERY_S)


def test_a_search_does_not_wait_for_whoever_has_the_lock(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "searching"
    path.touch()

    with path.open("ab") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        search = made(path, clock)
        search.acquire()
        search.release()


def test_without_a_file_nothing_happens(clock: Clock) -> None:
    search_priority = made(None, clock)

    search_priority.acquire()
    search_priority.yield_to_search()
    search_priority.release()

    assert clock.now_s == 0


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(Misconfigured, match="no/folder cannot be opened"):
        made(tmp_path / "no" / "folder", clock)
