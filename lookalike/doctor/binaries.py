"""Programs that run in processes of their own: the broker that ships, and the model in a worker's code."""

import json
import os
import subprocess
from pathlib import Path

from lookalike.doctor.result import CheckResult, broken, ok
from lookalike.errors import LookalikeError
from lookalike.local.servers.embedded import valkey_server
from lookalike.local.supervision.processes import process_environment
from lookalike.settings import Settings
from lookalike.system.service_paths import python_module

ANSWERS_WITHIN_S = 60.0


def check_broker_program() -> CheckResult:
    """Whether the Valkey that `up` brings along runs on this machine."""
    remedy = "Name a broker in REDIS_URL: the one that ships needs glibc (Debian, Ubuntu, Fedora; not Alpine) or macOS."
    try:
        program = valkey_server()
        version = _output_of([str(program), "--version"])
    except (LookalikeError, OSError, subprocess.SubprocessError) as error:
        return broken("broker program", _reason(error), remedy)
    return ok("broker program", version.split(" sha=")[0])


def check_model(settings: Settings) -> CheckResult:
    """Whether the model that is set runs: it embeds one picture."""
    try:
        tried = json.loads(_output_of(python_module("worker.prepare", "--check-model"), settings))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return broken("model", f"{settings.model} does not run", _reason(error))
    return ok(
        "model",
        f"{tried['name']} ({Path(tried['file']).name}, {tried['precision']}, {tried['dimension']} numbers), "
        f"{tried['backend']}, {tried['took_ms']:.0f} ms for one picture",
    )


def _output_of(command: list[str], settings: Settings | None = None) -> str:
    done = subprocess.run(
        command,
        env=None if settings is None else process_environment(settings, os.environ),
        capture_output=True,
        text=True,
        timeout=ANSWERS_WITHIN_S,
        check=True,
    )
    return done.stdout.strip()


def _reason(error: Exception) -> str:
    """The last line of the program, or why it could not be run."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in f"{error.stderr}".splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it ended with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {error.timeout:g} s"
    return str(error)
