"""The commands about verdicts, beside a running system: what they print, carry and refuse."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lookalike import Refused
from lookalike.cli import app
from tests.worker.tasks.conftest import System

NAMES = ["said/a.png", "said/b.png", "said/c.png"]
Typed = Callable[..., Result]


@pytest.fixture
def typed(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    """Types a command in an empty folder; of three pictures nothing is said before and after."""
    (system.root / "said").mkdir(exist_ok=True)
    for seed, name in enumerate(NAMES, 870):
        system.path(seed, name)
    system.client.sync(NAMES).result(timeout_s=20)
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield lambda *words: CliRunner().invoke(app, [*words, "--data", str(tmp_path)])
    for other in NAMES[1:]:
        system.client.verdict(NAMES[0], other, "none")


def said(result: Result) -> str:
    assert result.exception is None, result.exception
    return result.stdout


def test_what_is_said_is_listed_exported_and_imported(typed: Typed, tmp_path: Path) -> None:
    assert said(typed("verdict", NAMES[0], NAMES[1], "same", "--better", NAMES[1])) == "Remembered.\n"
    assert said(typed("verdict", NAMES[1], NAMES[0], "same", "--better", NAMES[1])) == "That was known already.\n"
    assert json.loads(said(typed("verdict", NAMES[2], NAMES[0], "not-duplicates", "--json"))) == {
        "recorded": 1,
        "unchanged": 0,
    }
    rows = [line.split("\t")[1:] for line in said(typed("verdicts")).splitlines()]
    assert [sorted(row[1:]) for row in rows] == [[NAMES[0], NAMES[1]], [NAMES[0], NAMES[2]]]
    assert rows[0][0] == f"same, the {'first' if rows[0][1] == NAMES[1] else 'second'} is better"
    assert rows[1][0] == "not-duplicates"
    assert [each["verdict"] for each in json.loads(said(typed("verdicts", "--json")))] != []

    assert "2 verdicts are in kept.jsonl" in said(typed("verdicts", "--export", "kept.jsonl"))
    typed("verdict", NAMES[0], NAMES[1], "none")
    # What was withdrawn since is not told again by an older file.
    assert said(typed("verdicts", "--import", "kept.jsonl")).startswith("0 remembered")
    assert NAMES[1] not in said(typed("verdicts"))
    newer = (tmp_path / "kept.jsonl").read_text().replace('"at":"20', '"at":"19')
    Path("older.jsonl").write_text(newer)
    assert said(typed("verdicts", "--import", "older.jsonl")).startswith("0 remembered")


def test_a_file_with_a_broken_line_is_refused_whole(typed: Typed) -> None:
    typed("verdict", NAMES[0], NAMES[1], "keep-both")
    said(typed("verdicts", "--export", "kept.jsonl"))
    known = Path("kept.jsonl").read_text()
    Path("kept.jsonl").write_text(f"{known}\n{{}}\n")
    broken = known.count("\n") + 2
    Path("no text").write_bytes(b"\xff\n")

    for words, told in (
        (
            ["--import", "kept.jsonl"],
            f"Line {broken} of 'kept.jsonl' is no verdict (a: Field required)",
        ),
        (["--import", "no text"], "'no text' cannot be read (it is no UTF-8)"),
        (["--import", "nowhere"], "'nowhere' cannot be read (No such file or directory)"),
        (["--export", "nowhere/x"], "'nowhere/x' cannot be written (No such file or directory)"),
    ):
        result = typed("verdicts", *words)
        assert isinstance(result.exception, Refused)
        assert told in str(result.exception)
    assert typed("verdicts", "--import", "x", "--export", "y").exit_code == 2
    assert typed("verdict", NAMES[0], NAMES[1], "perhaps").exit_code == 2
