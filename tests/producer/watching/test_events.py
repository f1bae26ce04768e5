"""watchdog's events become ours."""

import pytest
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirModifiedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from producer.watching.events import (
    Event,
    FolderAppeared,
    FolderGone,
    FolderMoved,
    Gone,
    Lost,
    Moved,
    Touched,
    changes_count,
    from_watchdog,
    is_outside,
)


def our_event(event: FileSystemEvent, *, names_every_file: bool = False) -> Event | None:
    return from_watchdog(event, "/photos", names_every_file=names_every_file)


@pytest.mark.parametrize(
    ("event", "ours"),
    [
        (FileCreatedEvent("/photos/a/b.jpg"), Touched("a/b.jpg")),
        (FileModifiedEvent("/photos/b.jpg"), Touched("b.jpg")),
        (FileAttribEvent("/photos/b.jpg"), Touched("b.jpg")),
        (FileClosedEvent("/photos/b.jpg"), Touched("b.jpg", closed=True)),
        (FileDeletedEvent("/photos/b.jpg"), Gone("b.jpg")),
        (FileMovedEvent("/photos/a.jpg", "/photos/b.jpg"), Moved("a.jpg", "b.jpg")),
        (FileMovedEvent("", "/photos/b.jpg"), Touched("b.jpg", closed=True)),
        (FileMovedEvent("/photos/a.jpg", ""), Gone("a.jpg")),
        (FileMovedEvent("/photos/a.jpg", "/photos2/a.jpg"), Gone("a.jpg")),
        (DirCreatedEvent("/photos/a"), FolderAppeared("a")),
        (DirMovedEvent("/photos/a", "/photos/b"), FolderMoved("a", "b")),
        (DirMovedEvent("", "/photos/b"), FolderAppeared("b")),
        (DirMovedEvent("/photos/a", ""), FolderGone("a")),
        (DirDeletedEvent("/photos/a"), FolderGone("a")),
        (DirModifiedEvent("/photos"), None),
        (FileCreatedEvent("/elsewhere/a.jpg"), None),
    ],
)
def test_an_event_of_watchdog_becomes_ours(event: FileSystemEvent, ours: Event | None) -> None:
    assert our_event(event) == ours


def test_a_deleted_root_is_reported_as_lost_events() -> None:
    assert isinstance(our_event(DirDeletedEvent("/photos")), Lost)


def test_what_watchdog_makes_up_about_a_folder_is_left_out() -> None:
    assert our_event(FileMovedEvent("/photos/a/x.jpg", "/photos/b/x.jpg", is_synthetic=True)) is None


def test_where_every_file_is_named_folders_say_nothing() -> None:
    assert our_event(DirMovedEvent("/photos/a", "/photos/b"), names_every_file=True) is None
    assert our_event(FileMovedEvent("/photos/a/x", "/photos/b/x"), names_every_file=True) == Moved("a/x", "b/x")


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (FileCreatedEvent("/photos/a"), True),
        (FileDeletedEvent("/photos/a"), True),
        (DirMovedEvent("/photos/a", "/photos/b"), True),
        (FileModifiedEvent("/photos/a"), False),
        (FileClosedEvent("/photos/a"), False),
    ],
)
def test_what_comes_or_goes_changes_the_number_of_files(event: FileSystemEvent, *, changes: bool) -> None:
    assert changes_count(event) is changes


@pytest.mark.parametrize(
    ("event", "outside"),
    [
        (FileModifiedEvent("/photos/.git/index"), True),
        (FileMovedEvent("/photos/.git/a", "/photos/.git/b"), True),
        (DirCreatedEvent("/photos/.git"), True),
        (FileMovedEvent("/photos/.git/a.jpg", "/photos/a.jpg"), False),
        (FileMovedEvent("/photos/a.jpg", "/photos/.git/a.jpg"), False),
        (DirMovedEvent("/photos/album", "/photos/.git/album"), False),
        (FileCreatedEvent("/photos/a.jpg"), False),
        (FileCreatedEvent("/photos/album/.hidden.jpg"), False),
        (DirDeletedEvent("/photos"), False),
    ],
)
def test_what_others_do_in_hidden_folders_is_not_ours(event: FileSystemEvent, *, outside: bool) -> None:
    assert is_outside(event, "/photos", lambda folder: ".git" not in folder) is outside
