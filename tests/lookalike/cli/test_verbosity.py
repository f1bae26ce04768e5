"""How much is said and how it looks: --quiet, --verbose, NO_COLOR, no terminal, completion."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.cli.options.common import options_first
from tests.support.valkey import free_port
from tests.support.workers import worker_environment

ESCAPE = "\x1b"
COMMAND = [sys.executable, "-c", "from lookalike.cli import main; main()"]


def run(*words: str, **settings: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in worker_environment(**settings).items() if name != "NO_COLOR"}
    return subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)


def on_a_terminal(*words: str, **settings: str) -> str:
    """What a command shows on a terminal that knows colours."""
    environment = worker_environment(TERM="xterm-256color", COLUMNS="120") | settings
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while select.select([ours], [], [], 60.0)[0] and (read := os.read(ours, 4096)):
            shown += read
    except OSError:
        # How Linux tells that the other end was closed.
        pass
    finally:
        os.close(ours)
        process.wait(10)
    return shown.decode()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("search a.jpg --library x -k 3", "--library x search a.jpg -k 3"),
        ("status --library=x --json", "--library=x status --json"),
        ("status --library", "--library status"),
        ("search -- --library", "search -- --library"),
        ("up DIR --quiet", "--quiet up DIR"),
        ("-v search a.jpg -k 3 -q", "-v -q search a.jpg -k 3"),
        ("search -- --quiet", "search -- --quiet"),
        ("status", "status"),
    ],
)
def test_quiet_and_verbose_may_stand_anywhere(typed: str, meant: str) -> None:
    assert options_first(typed.split()) == meant.split()


def test_errors_are_red_on_a_terminal_and_plain_with_no_color_or_in_a_pipe(tmp_path: Path) -> None:
    words, data = ("down",), str(tmp_path)

    coloured = on_a_terminal(*words, LOOKALIKE_DATA=data)
    plain = on_a_terminal(*words, LOOKALIKE_DATA=data, NO_COLOR="1")
    piped = run(*words, LOOKALIKE_DATA=data)

    assert f"{ESCAPE}[31mError" in coloured
    assert ESCAPE not in plain
    assert ESCAPE not in piped.stderr
    assert "Nothing is running" in plain


def test_help_has_no_colours_where_there_is_no_terminal() -> None:
    assert ESCAPE in on_a_terminal("--help")
    assert ESCAPE not in run("--help").stdout


def test_verbose_tells_where_an_error_comes_from_and_never_a_password(tmp_path: Path) -> None:
    broker = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    short = run("search", "a.png", REDIS_URL=broker, LOOKALIKE_DATA=tmp_path)
    long = run("search", "a.png", "--verbose", REDIS_URL=broker, LOOKALIKE_DATA=tmp_path)

    assert (short.returncode, long.returncode) == (1, 1)
    assert "Traceback" not in short.stderr
    assert "Traceback" in long.stderr
    assert "client broker=redis://127.0.0.1" in long.stderr
    assert "hunter2" not in short.stderr + long.stderr


Complete = Callable[[str], str]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("lookalike se", "search"), ("lookalike status --w", "--wait"), ("lookalike logs p", "producer")],
)
def test_the_shell_completes_commands_options_and_parts(typed: str, offered: str) -> None:
    environment = {"_LOOKALIKE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}

    # The name of the program is what the variable is named after.
    program = "import sys; sys.argv[0] = 'lookalike'; from lookalike.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=False
    )

    assert offered in done.stdout.split()


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in run("--help").stdout
