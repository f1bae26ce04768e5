"""The command line. Each command is thin: it asks the Client or `lookalike.local` and shows the answer.

Exit codes: 0; 1 for an error, told in one sentence with its remedy; 2 for wrong usage; 130 after Ctrl-C.
"""

import logging
import sys

from lookalike.cli import asking, checking, models, running, telling, verifying
from lookalike.cli.app import app
from lookalike.cli.manners import hoisted, is_verbose
from lookalike.cli.show import say_error
from lookalike.errors import LookalikeError

__all__ = ["app", "asking", "checking", "main", "models", "running", "telling", "verifying"]

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


def main() -> None:
    """Runs the command and ends the program with its exit code."""
    try:
        app(hoisted(sys.argv[1:]))
    except LookalikeError as error:
        if is_verbose():
            logging.getLogger(__name__).exception("this is where it comes from")
        say_error(str(error))
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # `lookalike list | head` is not an error; the pipe must not be flushed again at exit.
        sys.stdout = None
