"""What the watcher tells, and how it notices that it cannot."""

import os
from pathlib import Path

from watchdog.observers import inotify_c

from lookalike.library.folder import FolderLibrary
from lookalike.library.rules import Candidates
from producer.watching.events import Touched
from producer.watching.inotify import OverflowAwareObserver
from producer.watching.mounts import is_local
from producer.watching.watcher import PULSE_WITHIN_S, Inbox, Watcher
from tests.producer.files import draw
from tests.support.waiting import wait_until


def test_writes_in_hidden_folders_delay_nothing(library: Path) -> None:
    draw(library / ".data" / "log")
    inbox, changes = Inbox(), list[str]()
    watcher = Watcher(
        FolderLibrary(library, Candidates(("jpg",))),
        inbox,
        polling=False,
        poll_s=1.0,
        on_count_changed=lambda: changes.append("changed"),
    )
    watcher.ensure_watching()
    try:
        for number in range(50):
            draw(library / ".data" / f"{number}.jpg").unlink()
        draw(library / "new.jpg")

        wait_until(lambda: inbox.next_event(0.0) == Touched("new.jpg", closed=True))
        assert changes == ["changed"]
    finally:
        watcher.stop()


def test_an_overflow_of_the_kernels_queue_asks_for_a_scan(library: Path) -> None:
    told: list[str] = []
    observer = OverflowAwareObserver(lambda: told.append("overflow"), lambda: told.append("exhausted"))
    try:
        lost = inotify_c.InotifyEvent(
            inotify_c.WatchDescriptor(-1), inotify_c.InotifyConstants.IN_Q_OVERFLOW, 0, os.fsencode(library)
        )
        observer._inotify.handle_event(lost)  # noqa: SLF001 - the kernel cannot be asked to overflow
    finally:
        observer.stop()

    assert told == ["overflow"]


def test_a_root_whose_disk_was_unmounted_is_not_watched_any_more(library: Path) -> None:
    watcher = Watcher(
        FolderLibrary(library, Candidates(("jpg",))), Inbox(), polling=False, poll_s=1.0, on_count_changed=lambda: None
    )
    assert watcher.ensure_watching()
    observer = watcher._observer  # noqa: SLF001 - a test cannot mount
    assert isinstance(observer, OverflowAwareObserver)

    ignored = inotify_c.InotifyEvent(inotify_c.WatchDescriptor(1), inotify_c.InotifyConstants.IN_IGNORED, 0, b"")
    observer._inotify.handle_event(ignored)  # noqa: SLF001

    assert not watcher.is_healthy()
    assert watcher.ensure_watching()
    assert watcher.is_healthy()
    watcher.stop()


def test_an_inbox_that_is_full_says_that_events_were_lost() -> None:
    inbox = Inbox(max_events=1)
    for _ in range(3):
        inbox.put_event(Touched("a.jpg"))

    assert [type(inbox.next_event(0.0)).__name__ for _ in range(3)] == ["Lost", "Touched", "NoneType"]


def test_an_event_of_its_own_shows_that_the_watcher_lives(library: Path) -> None:
    watcher = Watcher(
        FolderLibrary(library, Candidates(("jpg",))), Inbox(), polling=False, poll_s=1.0, on_count_changed=lambda: None
    )
    assert not watcher.pulse()
    watcher.ensure_watching()
    try:
        assert watcher.pulse()
        assert 0 < watcher.lag_s < PULSE_WITHIN_S
        assert watcher.is_complete == is_local(library)
    finally:
        watcher.stop()
    assert not watcher.pulse()
    assert not watcher.is_complete


def test_a_polled_library_is_never_complete(library: Path) -> None:
    watcher = Watcher(
        FolderLibrary(library, Candidates(("jpg",))), Inbox(), polling=True, poll_s=1.0, on_count_changed=lambda: None
    )
    watcher.ensure_watching()
    try:
        assert not watcher.is_complete
    finally:
        watcher.stop()
