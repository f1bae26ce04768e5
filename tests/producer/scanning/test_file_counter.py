"""The number of files is counted when it changed, and not all the time."""

import threading
from collections.abc import Callable

import pytest

from lookalike.library.folder import Count
from producer.scanning.file_counter import FileCounter
from producer.shutdown import Stopped
from tests.support.waiting import wait_until


class Folder:
    """Files that can be counted; counting takes as long as the test wants."""

    def __init__(self) -> None:
        self.files = 0
        self.counted = 0
        self.is_there = True
        self.meanwhile: Callable[[], None] = lambda: None

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        self.counted += 1
        found = self.files
        self.meanwhile()
        return None if should_stop() else Count(discovered=found)


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def counter(folder: Folder, stop: threading.Event) -> FileCounter:
    return FileCounter(folder.count, lambda: folder.is_there, stop)


def test_a_change_while_it_counts_makes_another_count_due(folder: Folder, counter: FileCounter) -> None:
    folder.files = 5
    folder.meanwhile = counter.mark_changed

    counter.count_files()

    assert counter.latest.discovered == 5
    assert counter.is_due


def test_a_count_is_due_while_it_runs(folder: Folder, counter: FileCounter) -> None:
    seen: list[bool] = []
    folder.meanwhile = lambda: seen.append(counter.is_due)

    counter.count_files()

    assert (seen, counter.is_due) == ([True], False)


def test_a_library_that_left_while_it_was_counted_keeps_its_number(folder: Folder, counter: FileCounter) -> None:
    folder.files = 5
    counter.count_files()
    folder.files, folder.is_there = 0, False

    counter.count_files()

    assert counter.latest.discovered == 5


def test_a_count_that_was_stopped_raises_and_keeps_nothing(
    folder: Folder, counter: FileCounter, stop: threading.Event
) -> None:
    folder.files = 5
    stop.set()

    with pytest.raises(Stopped):
        counter.count_files()
    assert counter.latest.discovered == 0


def test_a_burst_of_changes_is_counted_once_and_exactly(
    folder: Folder, counter: FileCounter, stop: threading.Event
) -> None:
    def run() -> None:
        with pytest.raises(Stopped):
            counter.count_when_due()

    thread = threading.Thread(target=run)
    thread.start()
    for _ in range(1000):
        folder.files += 1
        counter.mark_changed()

    wait_until(lambda: not counter.is_due)
    stop.set()
    counter.wake()
    thread.join()

    assert counter.latest.discovered == 1000
    assert folder.counted <= 2
