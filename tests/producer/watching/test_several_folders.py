"""A library of several folders: each goes and comes by itself, and is joined to the others or taken out."""

import time
from pathlib import Path

import pytest

from lookalike.library.joined.folders import Joined
from lookalike.library.rules import IGNORE_FILE
from lookalike.local.folders.joining import write_joined
from lookalike.settings import Settings
from producer.watching.events import Event, FolderAppeared, FolderGone, FolderMoved, Gone, Lost, Moved, Touched, within
from producer.watching.joined_following import JoinedSupervision
from producer.watching.supervision import Supervision
from tests.producer.conftest import Rest, producing
from tests.producer.other_side import OtherSide
from tests.support.pictures import draw
from tests.support.waiting import wait_until

WITHIN_S = 20.0


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    folders = {"photos": tmp_path / "disk" / "photos", "scans": tmp_path / "scans"}
    for seed, folder in enumerate(folders.values()):
        draw(folder / "trip" / "1.png", seed)
        draw(folder / "2.png", seed + 10)
    return folders


@pytest.fixture
def library(tmp_path: Path, folders: dict[str, Path]) -> Path:
    """In place of the folder that the other tests have."""
    root = tmp_path / "data"
    write_joined(root, Joined(folders))
    return root


def wait_indexed(side: OtherSide, wanted: set[str]) -> None:
    wait_until(lambda: set(side.files) == wanted, WITHIN_S, told=lambda: set(side.files))


def settled() -> None:
    """What was made just now would be looked at again by events alone."""
    time.sleep(0.3)


def test_all_folders_are_indexed_and_watched_under_their_names(
    settings: Settings, side: OtherSide, rest: Rest, folders: dict[str, Path]
) -> None:
    with producing(settings):
        assert rest().discovered == 4
        assert set(side.files) == {"photos/trip/1.png", "photos/2.png", "scans/trip/1.png", "scans/2.png"}

        draw(folders["scans"] / "new" / "3.png", 3)
        (folders["photos"] / "2.png").rename(folders["photos"] / "4.png")
        (folders["photos"] / "trip" / "1.png").rename(folders["scans"] / "5.png")

        wanted = {"scans/new/3.png", "photos/4.png", "scans/5.png", "scans/trip/1.png", "scans/2.png"}
        wait_indexed(side, wanted)
        note = rest()
    assert (note.library, note.watching) == (f"{folders['photos']}, {folders['scans']}", "inotify")


def test_one_that_is_unmounted_loses_nothing_while_the_other_goes_on(
    settings: Settings, side: OtherSide, rest: Rest, folders: dict[str, Path]
) -> None:
    with producing(settings) as service:
        rest()
        unplugged = folders["photos"].rename(folders["photos"].with_name("unplugged"))
        folders["photos"].mkdir()
        draw(folders["scans"] / "3.png", 3)
        (folders["scans"] / "2.png").unlink()

        wanted = {"photos/trip/1.png", "photos/2.png", "scans/trip/1.png", "scans/3.png"}
        wait_indexed(side, wanted)
        service.rescan("asked for")
        wait_until(lambda: "is empty: nothing of it is removed" in rest().warning, WITHIN_S)
        assert set(side.files) == wanted

        folders["photos"].rmdir()
        (unplugged / "2.png").unlink()
        unplugged.rename(folders["photos"])

        wait_indexed(side, wanted - {"photos/2.png"})
        wait_until(lambda: not rest().warning, WITHIN_S)


def test_each_has_its_own_ignore_file_and_a_change_of_it_is_noticed(
    settings: Settings, side: OtherSide, rest: Rest, folders: dict[str, Path]
) -> None:
    with producing(settings):
        rest()
        (folders["scans"] / IGNORE_FILE).write_text("/trip\n")

        wanted = {"photos/trip/1.png", "photos/2.png", "scans/2.png"}
        wait_indexed(side, wanted)
        (folders["scans"] / IGNORE_FILE).unlink()
        wait_until(lambda: "scans/trip/1.png" in side.files, WITHIN_S)


def test_a_library_that_becomes_one_of_several_embeds_only_what_is_new(
    settings: Settings, side: OtherSide, rest: Rest, folders: dict[str, Path], library: Path
) -> None:
    settled()
    with producing(settings.model_copy(update={"library": folders["photos"]})):
        side.begin(folders["photos"])
        rest()
    known = side.files
    assert set(known) == {"trip/1.png", "2.png"}
    side.serve(library)

    with producing(settings):
        rest()
        wait_indexed(side, {"photos/trip/1.png", "photos/2.png", "scans/trip/1.png", "scans/2.png"})

    assert sorted(side.embedded) == ["2.png", "scans/2.png", "scans/trip/1.png", "trip/1.png"]


def test_what_was_taken_out_is_removed_however_much_it_is(
    settings: Settings, side: OtherSide, rest: Rest, folders: dict[str, Path], library: Path
) -> None:
    side.put_ghosts(*(f"scans/old/{number}.png" for number in range(120)))
    write_joined(library, Joined({"photos": folders["photos"]}, dropped={"scans": folders["scans"]}))

    with producing(settings.model_copy(update={"max_deleted_files": 1})):
        rest()
        wait_indexed(side, {"photos/trip/1.png", "photos/2.png"})


@pytest.mark.parametrize(
    ("event", "there"),
    [
        (Touched("a/1.png", closed=True), Touched("scans/a/1.png", closed=True)),
        (Gone("1.png"), Gone("scans/1.png")),
        (Moved("1.png", "2.png"), Moved("scans/1.png", "scans/2.png")),
        (FolderAppeared("a"), FolderAppeared("scans/a")),
        (FolderGone("a"), FolderGone("scans/a")),
        (FolderMoved("a", "b"), FolderMoved("scans/a", "scans/b")),
        (Lost("of many"), Lost("of many")),
    ],
)
def test_an_event_is_one_of_its_folder(event: Event, there: Event) -> None:
    assert within(event, "scans") == there


def test_a_supervision_that_fails_ends_the_producer() -> None:
    class Failing(Supervision):
        def __init__(self) -> None:
            """Looks at nothing."""

        def run(self) -> None:
            raise RuntimeError("no watch")

    with pytest.raises(RuntimeError, match="no watch"):
        JoinedSupervision({"photos": Failing()}).run()
