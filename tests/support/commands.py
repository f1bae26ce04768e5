"""Types a command of `lookalike` in the process of the tests: a program of its own takes a second to start."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from lookalike.cli import app, error_sentence
from lookalike.cli.options.common import options_first
from lookalike.errors import LookalikeError


def typed(*words: str, cwd: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """What the command prints in that folder, with no LOOKALIKE_ variable but these; an error is one of stderr."""
    others = {name: None for name in ("LOOKALIKE_LIBRARY", *os.environ) if name.startswith("LOOKALIKE_")}
    with chdir(cwd):
        done = CliRunner().invoke(app, options_first(words), env={**others, **environment})
    failed = done.exception
    if failed is not None and not isinstance(failed, LookalikeError | SystemExit):
        raise failed
    refused = f"{error_sentence(failed)}\n" if isinstance(failed, LookalikeError) else ""
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr + refused)
