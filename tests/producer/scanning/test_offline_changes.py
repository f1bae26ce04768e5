"""Changes without events are found by a scan, and nothing else is sent."""

import shutil
from pathlib import Path

import pytest

from lookalike.broker.app import redis_of
from lookalike.broker.index_state import IndexState
from lookalike.broker.telemetry import Telemetry
from lookalike.settings import Settings
from producer.scanning import schedule
from tests.producer.conftest import Rest, producing
from tests.producer.files import draw, draw_old
from tests.producer.other_side import OtherSide
from tests.support.waiting import wait_until


def test_files_that_are_there_at_start_go_through_the_rescan_queue(
    settings: Settings, library: Path, telemetry: Telemetry, side: OtherSide, rest: Rest
) -> None:
    for number in range(100):
        draw_old(library / f"album {number % 3}" / f"{number}.jpg", str(number))
    draw(library / "notes.txt")

    with producing(settings):
        note = rest()

        assert {queue for queue, _ in side.messages} == {"rescan"}
        assert sorted(side.sent_paths) == sorted(side.files)
        assert max(len(message.paths) for _, message in side.messages) == settings.batch_paths
        assert (note.discovered, note.ignored, note.watching) == (100, 1, "inotify")
        assert telemetry.count_alive(["producer"]) == {"producer": 1}


def test_a_file_that_was_just_written_rests_first(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    draw_old(library / "old.jpg")
    draw(library / "fresh.jpg")

    with producing(settings.model_copy(update={"settle_s": 1.5})):
        rest()

    assert {path: queue for queue, message in side.messages for path in message.paths} == {
        "old.jpg": "rescan",
        "fresh.jpg": "ingest",
    }


def test_what_the_index_knows_is_not_sent(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> None:
    for number in range(50):
        draw_old(library / f"{number}.jpg")
        side.put(f"{number}.jpg")

    with producing(settings):
        note = rest()

    assert (side.messages, note.discovered) == ([], 50)


def test_what_changed_left_and_moved_meanwhile_is_sent(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    for name in ("stays", "changes", "leaves", "moves"):
        draw_old(library / f"{name}.jpg", name)
        side.put(f"{name}.jpg")
    draw_old(library / "changes.jpg", "something else")
    (library / "leaves.jpg").unlink()
    (library / "album").mkdir()
    (library / "moves.jpg").rename(library / "album" / "moves.jpg")

    with producing(settings):
        rest()

    assert sorted(side.files) == ["album/moves.jpg", "changes.jpg", "stays.jpg"]
    assert side.embedded == ["changes.jpg"]
    assert side.messages[-1][1].gone == ["leaves.jpg"], "what left is removed after everything else"


def test_a_renamed_library_folder_costs_no_inference(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    for number in range(300):
        draw_old(library / "trip" / f"{number}.jpg", str(number))
        side.put(f"trip/{number}.jpg")
    (library / "trip").rename(library / "journey")

    with producing(settings):
        rest()

    assert sorted(side.files) == sorted(f"journey/{number}.jpg" for number in range(300))
    assert side.embedded == []


def test_a_scan_that_would_remove_too_much_removes_nothing_and_says_so(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    draw_old(library / "left.jpg")
    side.put_ghosts(*(f"{number}.jpg" for number in range(150)))

    with producing(settings):
        note = rest()

    assert side.sent_gone == []
    assert "left.jpg" in side.files
    assert "150 of 150" in note.warning
    assert "mounted" in note.warning


@pytest.mark.parametrize("absence", ["missing", "a file", "empty"])
def test_a_library_that_is_not_there_removes_nothing_and_recovers(
    settings: Settings,
    library: Path,
    side: OtherSide,
    telemetry: Telemetry,
    tmp_path: Path,
    rest: Rest,
    absence: str,
) -> None:
    for number in range(20):
        draw_old(library / f"{number}.jpg")
        side.put(f"{number}.jpg")
    library.rename(tmp_path / "unplugged")
    if absence == "a file":
        library.write_text("")
    elif absence == "empty":
        library.mkdir()

    with producing(settings):
        wait_until(lambda: telemetry.read_report().state == "offline")
        assert "removed" in telemetry.read_report().warning

        if absence == "a file":
            library.unlink()
        elif absence == "empty":
            library.rmdir()
        (tmp_path / "unplugged").rename(library)
        note = rest()
        assert (side.messages, note.discovered, note.warning) == ([], 20, "")

        draw(library / "new.jpg")
        wait_until(lambda: "new.jpg" in side.files)


def test_a_library_that_leaves_while_it_is_watched_is_offline_until_it_is_back(
    settings: Settings, library: Path, side: OtherSide, telemetry: Telemetry, tmp_path: Path, rest: Rest
) -> None:
    for number in range(20):
        draw_old(library / f"{number}.jpg")
        side.put(f"{number}.jpg")

    with producing(settings):
        rest()
        library.rename(tmp_path / "unplugged")
        wait_until(lambda: telemetry.read_report().state == "offline")
        (tmp_path / "unplugged").rename(library)
        rest()
        assert side.messages == []

        draw(library / "new.jpg")
        wait_until(lambda: "new.jpg" in side.files)


def test_polling_sees_the_same(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> None:
    draw_old(library / "album" / "first.jpg")
    draw_old(library / "second.jpg")

    with producing(settings.model_copy(update={"polling": True, "poll_s": 0.2})):
        assert rest().watching == "polling"
        draw(library / "album" / "new.jpg")
        (library / "second.jpg").unlink()
        wait_until(lambda: sorted(side.files) == ["album/first.jpg", "album/new.jpg"])
        (library / "album").rename(library / "trip")
        wait_until(lambda: sorted(side.files) == ["trip/first.jpg", "trip/new.jpg"])
        assert "trip/first.jpg" not in side.embedded
        assert rest().discovered == 2


def test_it_scans_again_after_the_pause(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> None:
    draw_old(library / "first.jpg")
    side.put("first.jpg")

    with producing(settings.model_copy(update={"rescan_s": 0.2})):
        rest()
        # No event reports this one: it is in the index and was never on the disk.
        side.put_ghosts("ghost.jpg")

        wait_until(lambda: list(side.files) == ["first.jpg"])


def test_what_a_worker_leaves_to_a_scan_brings_one_soon(
    settings: Settings, library: Path, side: OtherSide, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "FREQUENT_S", 0.1)
    draw_old(library / "first.jpg")
    side.put("first.jpg")

    with producing(settings), redis_of(settings) as redis:
        rest()
        # No event reports this one: it is in the index and was never on the disk.
        side.put_ghosts("ghost.jpg")
        state = IndexState(redis, settings.keys)

        def is_gone() -> bool:
            # Again and again: the producer takes no notice of what was there when it began to look.
            state.report_undone("a store that takes nothing")
            return list(side.files) == ["first.jpg"]

        wait_until(is_gone, every_s=1.0)


def test_a_mass_removal_is_held_back_until_it_is_allowed(
    settings: Settings, library: Path, telemetry: Telemetry, side: OtherSide, rest: Rest
) -> None:
    for number in range(20):
        draw_old(library / "album" / f"{number}.jpg", str(number))
        side.put(f"album/{number}.jpg")
    draw_old(library / "stays.jpg")
    side.put("stays.jpg")
    shutil.rmtree(library / "album")

    with producing(settings.model_copy(update={"max_deleted_files": 5})):
        assert "lookalike sync --allow-removals" in rest().warning
        assert side.messages == []

        telemetry.allow_removals()

        wait_until(lambda: list(side.files) == ["stays.jpg"])
        wait_until(lambda: not telemetry.are_removals_allowed())
        assert rest().warning == ""
