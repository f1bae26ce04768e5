"""The short form of `make chaos`: everything is killed while a folder is written to, and nothing is lost."""

from pathlib import Path

import pytest

from tests.programs.chaos.driving import Plan, run


@pytest.mark.parametrize("seed", [1])
def test_whatever_is_killed_the_index_ends_up_equal_to_the_library(tmp_path: Path, seed: int) -> None:
    report = run(Plan(seconds=15, seed=seed, files=600, kills=8, burst_files=100), tmp_path)

    assert report.files_written >= 500
    assert sum(report.kills.values()) >= 8
    assert (report.lost, report.ghosts, report.wrong) == (0, 0, 0), report.examples
    assert report.seconds_to_agree is not None
