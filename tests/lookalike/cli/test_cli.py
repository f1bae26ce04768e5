"""The command line beside a running system is tested in tests/e2e; here is what needs none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lookalike import __version__
from lookalike.cli import app
from tests.support.workers import worker_environment


def run(*words: str, **settings: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from lookalike.cli import main; main()", *words]
    environment = worker_environment(**settings) | {"NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"lookalike {__version__}\n"


def test_every_command_has_a_sentence_of_help() -> None:
    listed = run("--help").stdout

    for command in get_command(app).commands:  # type: ignore[attr-defined]
        asked = CliRunner().invoke(app, [command, "--help"])
        assert f" {command} " in listed
        assert asked.exit_code == 0
        assert re.search(r"^ [A-Z](?!sage:)\w+ ", asked.output, re.MULTILINE)


@pytest.mark.parametrize(
    "words",
    [("search",), ("nonsense",), ("sync",), ("search", "a.jpg", "-k", "0"), ("up",), ("evaluate", "--photos", "1001")],
)
def test_wrong_usage_ends_with_two(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*words, LOOKALIKE_DATA=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""


def test_fetching_without_network_says_what_to_do(tmp_path: Path) -> None:
    done = run("model", "fetch", "resnet50", LOOKALIKE_DATA=tmp_path, HF_HUB_OFFLINE="1")

    assert done.returncode == 1
    assert "try again" in done.stderr
    assert "Traceback" not in done.stderr


def test_waiting_for_a_system_that_nobody_starts_ends_with_the_remedy(tmp_path: Path) -> None:
    done = run("status", "--wait", "--json", LOOKALIKE_DATA=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "lookalike up FOLDER" in done.stderr
