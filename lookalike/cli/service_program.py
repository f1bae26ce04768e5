"""Runs a program of the services for a command: it needs packages that the client alone does not install.

The program prints one JSON document a line: {"done": 32, "of": 500} while it works, at last {"report": {...}}; if it
fails, one sentence on stderr. Its memory ends with it.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lookalike.errors import Misconfigured

MISSING = "ModuleNotFoundError"
WORKER_EXTRA = "This needs the packages of a worker: pip install 'lookalike[worker]'."

Tell = Callable[[int, int | None], None]
"""Told of how much is done, and of how much there is."""


def report_of(
    command: Sequence[str], environment: Mapping[str, str], tell: Tell, *, standard_input: bytes = b"", fault: str = ""
) -> dict[str, Any]:
    """The report of the program, which is ended with this call.

    Raises Misconfigured with its last sentence, `fault` before it.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(standard_input)
        given.seek(0)
        # In a session of its own: Ctrl-C is told to this process, which ends the program.
        with subprocess.Popen(
            command, env=dict(environment), stdin=given, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        ) as process:
            try:
                for line in process.stdout or ():
                    answer = json.loads(line)
                    if "report" in answer:
                        return dict(answer["report"])
                    tell(answer["done"], answer.get("of"))
            finally:
                process.kill()
        errors.seek(0)
        raise why(errors.read().decode(errors="replace"), fault)


def why(printed: str, fault: str = "") -> Misconfigured:
    """The last line of a program that failed."""
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "the program ended without a word")
    return Misconfigured(WORKER_EXTRA if last.startswith(MISSING) else f"{fault}{last.strip()}")
