"""The files of a plan and its table: what is in them, and what is refused before any work."""

import json
import stat
from pathlib import Path

import pytest

from lookalike.cli.options.keep import PlanFiles, show_groups
from lookalike.duplicates.plan import Keeping, planned
from lookalike.duplicates.preference import KeepRule
from lookalike.errors import Refused
from lookalike.settings import read_settings
from tests.duplicates.samples import facts, group

GROUPS = [group(facts("a.jpg", width_px=80), facts("=b.jpg", size_bytes=2_000_000)), group(facts("c"), facts("d"))]
KEEPING = Keeping(KeepRule.parsed("best"), ("safe",))


def test_a_plan_is_written_as_json_as_a_table_and_as_a_script(tmp_path: Path) -> None:
    plans, settings = list(planned(GROUPS, KEEPING)), read_settings(library=tmp_path)
    for name in ("plan.json", "plan.CSV"):
        files = PlanFiles(tmp_path / name, tmp_path / "plan.sh")
        files.check(settings)
        files.write(plans, KEEPING, settings)

    whole = json.loads((tmp_path / "plan.json").read_text())
    assert {key: whole[key] for key in ("v", "rule", "protected", "groups", "files", "size_bytes")} == {
        "v": 1,
        "rule": "best",
        "protected": ["safe"],
        "groups": 2,
        "files": 2,
        "size_bytes": 2_001_000,
    }
    assert [file["path"] for each in whole["plan"] for file in each["files"]] == ["a.jpg", "=b.jpg", "c", "d"]
    assert (tmp_path / "plan.CSV").read_bytes().count(b"\r\n") == 5
    assert (tmp_path / "plan.sh").read_text().startswith("#!/bin/sh\n")
    # Names of a whole library are nobody else's affair.
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())


def test_files_that_cannot_be_are_refused_before_any_work(tmp_path: Path) -> None:
    here = read_settings(library=tmp_path)
    for files, settings, words in (
        (PlanFiles(tmp_path / "plan.txt", None), here, r"\.json or \.csv"),
        (PlanFiles(tmp_path / "no" / "plan.csv", None), here, "is not there: make it"),
        (PlanFiles(None, tmp_path / "no" / "plan.sh"), here, "is not there: make it"),
        (PlanFiles(None, tmp_path / "plan.sh"), read_settings(), "write it where the library is"),
    ):
        with pytest.raises(Refused, match=words):
            files.check(settings)
    (tmp_path / "plan.sh").mkdir()
    with pytest.raises(Refused, match=r"cannot be written \(Is a directory\)"):
        PlanFiles(None, tmp_path / "plan.sh").write(list(planned(GROUPS, KEEPING)), KEEPING, here)


def test_the_table_has_a_line_for_each_file_and_no_command_to_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    hostile = "[red]\x1b]0;owned\x07\u202e.jpg"

    show_groups(list(planned([*GROUPS, group(facts(hostile, width_px=99), facts("e"))], KEEPING)))

    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[1:3]] == [
        ["near", "keep", "80x30", "1.0", "kB", "a.jpg", "most", "pixels,", "80x30"],
        ["move", "40x30", "2.0", "MB", "=b.jpg", "a", "copy", "of", "'a.jpg'"],
    ]
    assert said.replace("\n", "").isprintable()
    assert r"[red]\x1b]0;owned\x07\u202e.jpg" in said
