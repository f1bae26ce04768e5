"""What doctor finds of the extras: missing packages, and packages that cannot be imported."""

from pathlib import Path

import pytest

from lookalike.doctor.packages import check_extra, missing_packages
from lookalike.system import parts as parts_list
from lookalike.system.parts import EXTRAS


def test_an_extra_that_is_not_installed_is_what_a_client_may_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_list, "find_spec", lambda _: None)

    found = check_extra("producer", missing_packages("producer"))

    assert (found.state, found.found) == ("warning", "not installed: watchdog")
    assert "lookalike[producer]" in (found.remedy or "")


@pytest.mark.parametrize(
    ("code", "said"),
    [("raise OSError('libfoo.so.1: cannot open')", "libfoo"), ("import os; os.abort()", "ends the process")],
)
def test_a_package_that_is_there_and_cannot_be_imported_is_broken(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "watchdog.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = check_extra("producer", missing_packages("producer"))

    assert found.state == "broken"
    assert said in found.found


def test_every_extra_that_a_part_needs_is_looked_at() -> None:
    assert set(EXTRAS) == {"worker", "producer", "edge", "monitor", "web"}
    assert [missing_packages(name) for name in EXTRAS] == [[]] * len(EXTRAS)
