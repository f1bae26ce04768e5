"""Whatever standard output and arguments are: an answer, an escaped character or one sentence, never a traceback."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.cli.streams import write_json
from tests.support.workers import worker_environment

COMMAND = [sys.executable, "-c", "from lookalike.cli import main; main()"]
LONG, BYTES, COMMANDS = "n" * 5000, b"caf\xe9.png", "\x1b]0;owned\x07.png"


def run(
    *words: str | bytes, redirected: str = "", stdout: int = subprocess.PIPE, **settings: str | Path
) -> "subprocess.CompletedProcess[bytes]":
    """Runs a command as a shell does; the broker that it is told of does not answer."""
    environment = worker_environment(REDIS_URL="redis://127.0.0.1:1/0", **settings)
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh"]
    command = [*shell, *COMMAND, *words]
    done = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize(("word", "redirected"), [("--version", "> /dev/full"), ("--help", ">&- <&-")])
def test_output_that_cannot_be_written_is_told_in_a_sentence(word: str, redirected: str, tmp_path: Path) -> None:
    done = run(word, redirected=redirected, LOOKALIKE_DATA=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: The output cannot be written")


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run("--help", stdout=theirs, LOOKALIKE_DATA=tmp_path)
    finally:
        os.close(theirs)

    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_that_cannot_be_told_is_an_exit_code(tmp_path: Path) -> None:
    assert run("search", "a.png", redirected=">&- 2>&- <&-", LOOKALIKE_DATA=tmp_path).returncode == 1


@pytest.mark.parametrize(
    "words", [("search", BYTES), ("sync", LONG), ("retry", "/" + LONG), ("logs", COMMANDS), ("up", LONG)]
)
def test_names_of_any_kind_get_a_sentence(words: tuple[str | bytes, ...], tmp_path: Path) -> None:
    done = run(*words, LOOKALIKE_DATA=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize("words", [("search", "a.png", "-k", "2.5"), ("status", COMMANDS)])
def test_wrong_usage_is_quoted_without_its_commands_to_the_terminal(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*words, LOOKALIKE_DATA=tmp_path)

    assert done.returncode == 2
    assert not {b"\x1b", b"\x07"} & {bytes([byte]) for byte in done.stderr}


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_an_encoding_with_few_letters_gets_escapes(environment: dict[str, str], tmp_path: Path) -> None:
    done = run("up", "写真", **environment, LOOKALIKE_DATA=tmp_path)  # type: ignore[arg-type]

    assert done.returncode == 1
    assert rb"\u5199\u771f" in done.stderr or rb"\udce5" in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "utf-16"])
def test_json_has_the_exact_names_in_any_encoding_and_no_command_to_a_terminal(encoding: str) -> None:
    names = ["写真 café.jpg", "a\n\x1b]0;x\x07\x9b1m\u202e\U000e0041\x7f", "caf\\xe9", "\udce9", "\U0001f408"]
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding=encoding, errors="backslashreplace")

    write_json(names, stream)
    stream.flush()

    said = out.getvalue().decode(encoding)
    assert json.loads(said) == names
    assert said[:-1].isprintable()
