"""The producer on a real folder with a real broker and a real watchdog: the index follows the library."""

import os
from pathlib import Path

from lookalike.board import Board
from lookalike.settings import Settings
from tests.producer.conftest import Until, is_at_rest, producing
from tests.producer.other_side import OtherSide


def draw(path: Path, content: str = "picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def age(path: Path, seconds: float = 100.0) -> Path:
    """Makes a file look as if it had been there for long."""
    written = path.stat().st_mtime - seconds
    os.utime(path, (written, written))
    return path


def test_files_that_are_there_at_start_are_sent_through_the_rescan_queue(
    settings: Settings, library: Path, board: Board, side: OtherSide, until: Until
) -> None:
    for number in range(100):
        age(draw(library / f"album {number % 3}" / f"{number}.jpg", str(number)))
    draw(library / "notes.txt")

    with producing(settings):
        until(lambda: len(side.files) == 100)
        until(lambda: is_at_rest(board.noted(), board))

        note = board.noted()
        assert {queue for queue, _ in side.messages} == {"rescan"}
        assert sorted(side.sent_paths) == sorted(side.files)
        assert (note.discovered, note.ignored, note.watching) == (100, 1, "inotify")
        assert board.alive(["producer"]) == {"producer": 1}
