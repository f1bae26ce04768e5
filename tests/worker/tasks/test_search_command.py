"""The commands that find images, beside a running system: what they print, draw and refuse."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from lookalike import Example, Refused
from lookalike.cli import app
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.support.workers import ROOT
from tests.worker.tasks.conftest import System

FOLDER = "typed"
NAMES = [f"{FOLDER}/{seed}.png" for seed in range(830, 836)]
ODD = [f"{FOLDER}/two\nlines.png", f"{FOLDER}/spelled \\xe9.png", f"{FOLDER}/[red]тест.png"]
Typed = Callable[..., Result]


@pytest.fixture
def typed(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types a command in an empty folder; the folder `typed` of the library has six pictures and odd names."""
    (system.root / FOLDER).mkdir(exist_ok=True)
    for seed, name in enumerate(NAMES, 830):
        system.path(seed, name)
    for seed, name in enumerate(ODD, 836):
        Path(system.root / name).write_bytes(encoded(picture(seed)))
    system.client.sync([*NAMES, *(system.root / name for name in ODD)]).result(timeout_s=20)
    for name, value in system.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, [*words, "--data", str(tmp_path)], input=stdin)

    return run


def said(result: Result) -> str:
    assert result.exception is None, result.exception
    return result.stdout


def paths(result: Result) -> list[str]:
    return said(result).splitlines()


def refusal(result: Result) -> str:
    assert isinstance(result.exception, Refused), result.output
    return str(result.exception)


def test_the_table_has_scores_and_whole_paths(typed: Typed) -> None:
    table = said(typed("search", NAMES[0], "--folder", FOLDER, "-k", "3")).splitlines()

    assert table[0].split() == ["similarity", "score", "path"]
    assert table[1].split() == ["1.000", "1.0000", NAMES[0]]
    assert len(table) == 4


def test_examples_box_and_bounds_are_what_they_are_in_python(system: System, typed: Typed) -> None:
    words = ["--add", f"0.5:{NAMES[1]}", "-s", NAMES[2], "--box", "0,0,0.5,1", "--folder", FOLDER, "--exclude-self"]
    found = json.loads(said(typed("search", NAMES[0], *words, "--json")))

    same = system.client.search(
        [Example(NAMES[0], box=(0, 0, 0.5, 1)), Example(NAMES[1], 0.5), Example(NAMES[2], -1)],
        filter={"folder": FOLDER},
        exclude_self=True,
    ).result(timeout_s=20)
    assert [each["path"] for each in found["neighbours"]] == [each.path for each in same]
    assert [each["score"] for each in found["neighbours"]] == pytest.approx([each.score for each in same], abs=1e-6)
    assert not {each.path for each in same} & {*NAMES[:3]}
    assert {"query", "neighbours", "took_ms", "note"} == found.keys()


def test_nothing_similar_enough_is_an_answer(typed: Typed) -> None:
    words = ["search", NAMES[0], "--folder", FOLDER, "--exclude-self", "--min-similarity", "1"]

    assert said(typed(*words)).startswith("Nothing is similar enough")
    piped = typed(*words, "--paths")
    assert (piped.exit_code, piped.stdout) == (0, "")
    assert "Nothing is similar enough" in piped.stderr
    assert json.loads(said(typed(*words, "--json")))["note"].startswith("Nothing is similar enough")


def test_paths_are_those_of_the_files_and_exact_to_the_byte(system: System, typed: Typed) -> None:
    words = ["search", NAMES[0], "--where", f"folder={FOLDER}", "-k", "50"]
    listed = paths(typed(*words, "--paths"))
    exact = typed(*words, "--paths0").stdout_bytes.split(b"\0")

    assert listed[0] == str(system.root / NAMES[0])
    assert f"{system.root / FOLDER}/two\\x0alines.png" in listed
    assert exact.pop() == b""
    assert len(exact) == len(listed) == 9
    assert {*exact} == {os.fsencode(system.root / name) for name in (*NAMES, *ODD)}


def test_many_paths_on_standard_input_are_answered_line_by_line(system: System, typed: Typed) -> None:
    asked = [*(os.fsencode(system.root / name) for name in (NAMES[0], ODD[1])), b"", b"nowhere.png", NAMES[1].encode()]

    done = typed("search", "-", "-k", "1", "--folder", FOLDER, stdin=b"\r\n".join(asked))

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["neighbours"][0]["path"] for answer in answers if not answer["error"]] == [
        NAMES[0],
        f"{FOLDER}/spelled \\x5cxe9.png",
        NAMES[1],
    ]
    assert "nowhere.png" in answers[2]["error"]
    assert done.exit_code == 1
    assert "1 of 4 queries were refused" in done.stderr
    assert "one path a line" in refusal(typed("search", "-"))
    assert typed("search", "-", "--paths", stdin=b"a.png").exit_code == 2


def test_a_sheet_is_drawn_and_shown(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text('#!/bin/sh\nprintf %s "$1" > "$SHOWN"\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{opener.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SHOWN", str(tmp_path / "shown"))

    done = typed("search", NAMES[0], "--folder", FOLDER, "--add", NAMES[1], "--sheet", "found.png", "--open")

    assert "The sheet is found.png" in done.stderr
    assert Path((tmp_path / "shown").read_text()) == tmp_path / "found.png"
    with Image.open("found.png") as sheet:
        # Five in a row: one row of examples, two of nine neighbours.
        assert sheet.size == (1096, 832)
    said(typed("sample", "-k", "3", "--folder", FOLDER, "--sheet", "sample.pdf"))
    assert Path("sample.pdf").read_bytes().startswith(b"%PDF")
    opener.write_text("#!/bin/sh\nexit 3\n")
    assert "No program was found" in refusal(typed("search", NAMES[0], "--open"))


def test_a_sample_is_varied_and_of_a_folder(typed: Typed) -> None:
    found = json.loads(said(typed("sample", "-k", "4", "--folder", FOLDER, "--json")))

    assert found["among"] == 9
    assert len({*found["paths"]}) == 4
    assert paths(typed("sample", "-k", "4", "--folder", FOLDER)) == found["paths"]
    assert "Nothing is indexed there yet" in said(typed("sample", "--folder", "no such folder"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--box", "1,2"], "such as 0.2,0.1,0.6,0.9"),
        (["--box", "0.5,0,0.2,1"], "left < right"),
        (["--where", "widthpx>=3"], "did you mean width_px"),
        (["--where", "width_px"], "is no condition"),
        (["--since", "yesterday"], "taken_at"),
        (["--since", "2024", "--where", "taken_at>=2025"], "taken_at is given twice"),
        (["--min-similarity", "1.5"], "min_similarity"),
        (["-k", "1000000"], "limit"),
        (["--add", "0:nowhere", "-k", "1", "--timeout", "1e300"], "timeout"),
        (["--sheet", "sheet.gif"], "A sheet is written as .png"),
        (["--sheet", "nowhere/sheet.png"], "The folder of the sheet"),
        (["--subtract", "https://example.org/a.jpg"], "is a URL"),
    ],
)
def test_what_is_at_fault_is_told_before_anything_is_queued(
    system: System, typed: Typed, words: Sequence[str], sentence: str
) -> None:
    def jobs() -> set[Any]:
        return set(system.redis.scan_iter(system.settings.keys.job("*")))

    before = jobs()

    assert sentence in refusal(typed("search", NAMES[0], *words))
    assert jobs() == before


def test_a_watch_tells_of_what_is_like_it_and_goes_on_where_it_was(
    system: System, typed: Typed, tmp_path: Path
) -> None:
    assert "there is no program" in refusal(typed("watch", NAMES[0], "--exec", "no-such-program {}"))
    assert "nowhere.png" in refusal(typed("watch", "nowhere.png"))
    (tmp_path / "picks").mkdir()
    words = ["watch", NAMES[0], "--min-similarity", "0.99", "--exec", "cp {} picks", "--state", "seen", "--json"]
    command = [sys.executable, "-c", "from lookalike.cli import main; main()", *words, "--data", str(tmp_path)]
    environment = system.environment | {"PYTHONPATH": str(ROOT)}

    def watched(name: str, *, is_there_before: bool) -> list[str]:
        """The paths that a watch tells of while these files are indexed, until Ctrl-C."""
        other = f"{FOLDER}/other {name}"
        for each, seed in ((f"{FOLDER}/{name}", 830), (other, 990)):
            system.path(seed, each)
        if is_there_before:
            system.client.sync([other, f"{FOLDER}/{name}"]).result(timeout_s=20)
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as watch:
            assert watch.stderr is not None
            assert "Waiting for images like" in watch.stderr.readline()
            if not is_there_before:
                system.client.sync([other, f"{FOLDER}/{name}"]).result(timeout_s=20)
            newest = system.client.events().next
            wait_until(lambda: watch.poll() is not None or (tmp_path / "seen").read_text() == f"{newest}\n")
            watch.send_signal(signal.SIGINT)
            out, _ = watch.communicate(timeout=20)
        assert watch.returncode == 130
        return [json.loads(line)["path"] for line in out.splitlines()]

    assert watched("-rf new.png", is_there_before=False) == [f"{FOLDER}/-rf new.png"]
    assert watched("$(touch x) later.png", is_there_before=True) == [f"{FOLDER}/$(touch x) later.png"]
    assert {path.name for path in (tmp_path / "picks").iterdir()} == {"-rf new.png", "$(touch x) later.png"}
    assert not (tmp_path / "x").exists()
