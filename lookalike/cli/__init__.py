"""The command line. Each command is thin: it calls the Client or `lookalike.local` and shows the answer.

Exit codes: 0; 1 for an error, printed as one sentence with its remedy; 2 for wrong usage; 130 after Ctrl-C.
"""

import logging
import sys

from typer.exceptions import Abort, TyperException

from lookalike.cli.app import app
from lookalike.cli.commands import (
    backups,
    comparing,
    duplicates,
    evaluate,
    health,
    index,
    metrics,
    moving,
    pausing,
    programs,
    reindexing,
    searching,
    service,
    standing,
    system,
    systems,
    verdicts,
    verify,
)
from lookalike.cli.options.common import options_first
from lookalike.cli.options.verbosity import is_verbose
from lookalike.cli.output import say_error, say_usage
from lookalike.cli.streams import Unwritable, set_streams
from lookalike.errors import LookalikeError

__all__ = [
    "app",
    "backups",
    "comparing",
    "duplicates",
    "evaluate",
    "health",
    "index",
    "main",
    "metrics",
    "moving",
    "pausing",
    "programs",
    "reindexing",
    "searching",
    "service",
    "standing",
    "system",
    "systems",
    "verdicts",
    "verify",
]

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def main() -> None:
    """Runs the command and ends the program with its exit code."""
    set_streams()
    try:
        code = app(options_first(sys.argv[1:]), standalone_mode=False)
        sys.stdout.flush()
    except Abort:
        # Standard input ended at a prompt.
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except (LookalikeError, OSError, UnicodeError) as error:
        if is_verbose():
            logging.getLogger(__name__).exception("this is where it comes from")
        say_error(error_sentence(error))
        sys.exit(EXIT_ERROR)
    except TyperException as error:
        say_usage(error)
        sys.exit(error.exit_code)
    sys.exit(code)


def error_sentence(error: Exception) -> str:
    """What went wrong and what helps, of our errors and of those that the machine causes."""
    if isinstance(error, Unwritable):
        return f"The output cannot be written ({error.strerror}): make room, or give standard output another place."
    if isinstance(error, OSError):
        about = "" if error.filename is None else f" {error.filename!r}"
        return f"The machine refused it ({error.strerror or error}){about}: `lookalike doctor` may name the cause."
    if isinstance(error, UnicodeError):
        return f"A name has letters that this locale lacks ({error}): set LC_ALL=C.UTF-8, or unset PYTHONUTF8."
    return str(error)
