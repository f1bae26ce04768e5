"""How much a command says: `--quiet` and `--verbose`, which may stand anywhere in what was typed (common.py).

Both are levels of the log: at WARNING a command prints no sentences for people, at DEBUG the client logs each of its
actions on stderr. Results and errors (neighbours, JSON, errors) are always printed.
"""

import logging
import sys

from rich.console import Console

from lookalike.log import log_to_stderr

log = logging.getLogger("lookalike")


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """Sets the level; verbose wins, because a user who gives both looks for a fault."""
    if verbose:
        log_to_stderr(logging.WARNING)
        log.setLevel(logging.DEBUG)
    else:
        log.setLevel(logging.WARNING if quiet else logging.INFO)


def is_quiet() -> bool:
    """Whether only results and errors are printed."""
    return not log.isEnabledFor(logging.INFO)


def is_verbose() -> bool:
    """Whether an error is printed with its traceback."""
    return log.isEnabledFor(logging.DEBUG)


def shows_progress() -> bool:
    """Whether a bar would be seen: bars are drawn on stderr, and only if stdout is a terminal as well."""
    return sys.stdout.isatty() and Console(stderr=True).is_terminal and not is_quiet()
