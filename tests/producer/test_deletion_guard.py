"""Much is removed only after somebody said so, and once."""

import shutil
from pathlib import Path

import pytest

from lookalike.settings import Settings
from lookalike.telemetry import Telemetry
from producer.deletion_guard import DeletionGuard
from tests.producer.conftest import Rest, Until, producing
from tests.producer.files import draw_old
from tests.producer.other_side import OtherSide


@pytest.mark.parametrize(
    ("removed", "indexed", "asks"),
    [(99, 99, False), (100, 100, True), (100, 333, True), (100, 334, False), (301, 1000, True), (300, 1000, False)],
)
def test_a_scan_asks_before_it_removes_a_hundred_files_that_are_three_tenths(
    removed: int, indexed: int, *, asks: bool
) -> None:
    assert DeletionGuard(0.3, 100).blocks(removed, indexed) is asks


def test_a_permission_is_used_up_by_the_scan_that_needs_it() -> None:
    removals = DeletionGuard(0.3, 100, is_allowed=True)

    assert not removals.blocks(50, 100)
    assert not removals.is_used
    assert not removals.blocks(100, 100)
    assert removals.is_used


def test_a_mass_removal_is_held_back_until_it_is_allowed(
    settings: Settings, library: Path, telemetry: Telemetry, side: OtherSide, rest: Rest, until: Until
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

        until(lambda: list(side.files) == ["stays.jpg"])
        until(lambda: not telemetry.are_removals_allowed())
        assert rest().warning == ""
