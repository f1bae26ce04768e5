"""How much a command says. `--quiet` and `--verbose` may stand anywhere in what was typed.

Both are levels of the log: WARNING keeps what a command would tell a person to itself, DEBUG adds a line on stderr for
each thing that the client does. What was asked for (neighbours, JSON, errors) is always said.
"""

import logging
import sys
from collections.abc import Sequence

from rich.console import Console

from lookalike.log import log_to_stderr

log = logging.getLogger("lookalike")

WORDS = ("--quiet", "-q", "--verbose", "-v")


def hoisted(words: Sequence[str]) -> list[str]:
    """The words with those of this module first, where the program expects them; `--` ends the search."""
    end = words.index("--") if "--" in words else len(words)
    mine = [word for word in words[:end] if word in WORDS]
    return [*mine, *(word for word in words[:end] if word not in WORDS), *words[end:]]


def set_manners(*, quiet: bool, verbose: bool) -> None:
    """Sets the level; verbose wins, because whoever asks for both looks for a fault."""
    if verbose:
        log_to_stderr(logging.WARNING)
        log.setLevel(logging.DEBUG)
    else:
        log.setLevel(logging.WARNING if quiet else logging.INFO)


def is_quiet() -> bool:
    """Whether only what was asked for is to be said."""
    return not log.isEnabledFor(logging.INFO)


def is_verbose() -> bool:
    """Whether a fault may be told at length."""
    return log.isEnabledFor(logging.DEBUG)


def shows_progress() -> bool:
    """Whether somebody looks on: bars are drawn on stderr, and only if stdout is a terminal as well."""
    return sys.stdout.isatty() and Console(stderr=True).is_terminal and not is_quiet()
