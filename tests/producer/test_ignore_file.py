"""The ignore file is watched: what it newly leaves out leaves the index, and comes back with the pattern's end."""

from pathlib import Path

from lookalike.settings import Settings
from tests.producer.conftest import Rest, producing
from tests.producer.files import draw
from tests.producer.other_side import OtherSide
from tests.support.waiting import wait_until

FILES = 150


def test_what_the_file_leaves_out_leaves_the_index_however_much_it_is_and_comes_back(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    for number in range(FILES):
        draw(library / "out" / f"{number}.jpg")
    draw(library / "a.jpg")
    with producing(settings):
        wait_until(lambda: len(side.files) == FILES + 1)
        (library / ".lookalikeignore").write_text("# no scans\nout/\n")
        wait_until(lambda: set(side.files) == {"a.jpg"})
        assert f"{FILES} files of the index are left out by the rules now" in rest().warning
        draw(library / "out" / "new.jpg")
        draw(library / "b.jpg")
        wait_until(lambda: "b.jpg" in side.files)
        assert set(side.files) == {"a.jpg", "b.jpg"}

        (library / ".lookalikeignore").rename(library / "former-rules")
        wait_until(lambda: len(side.files) == FILES + 3)
        assert rest().warning == ""


def test_a_pattern_that_can_match_nothing_is_told_and_the_rules_from_before_stay(
    settings: Settings, library: Path, side: OtherSide, rest: Rest
) -> None:
    draw(library / "out" / "a.jpg")
    (library / ".lookalikeignore").write_text("out/")
    draw(library / "b.jpg")
    with producing(settings):
        wait_until(lambda: set(side.files) == {"b.jpg"})
        (library / ".lookalikeignore").write_text("../other")
        wait_until(lambda: "'../other' can match nothing" in rest().warning)
        assert set(side.files) == {"b.jpg"}


def test_a_setting_leaves_out_what_the_index_knows(settings: Settings, library: Path, side: OtherSide) -> None:
    draw(library / "Trash" / "a.jpg")
    draw(library / "b.jpg")
    side.put("Trash/a.jpg")
    changed = settings.model_copy(update={"ignore": ("Trash/",)})
    with producing(changed):
        wait_until(lambda: set(side.files) == {"b.jpg"})
