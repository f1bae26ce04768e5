"""supervisord, with its own arguments, whose Python programs are forked from it once it has imported what they share.

Executed, each would import for a second or two, and hold what it imported in memory of its own. Linux alone: elsewhere
a process that has loaded the system's libraries may not go on after fork(), so programs are executed there.
"""

import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.supervisord import Supervisor

from lookalike.local.supervision.forking.forked_program import find_title_room, module_of, run_forked
from lookalike.local.supervision.forking.shared_imports import import_shared
from lookalike.system.process_guard import guard_arguments

FORKS = sys.platform == "linux"
# Not the store: it is asked for first, and shares little.
FORKED = ("celery", "producer", "web", "worker.prepare")


class ForkingOptions(ServerOptions):  # type: ignore[misc]
    """What supervisord asks of the system."""

    # As its own `main` sets them.
    first = True
    test = False

    def execve(self, filename: str, argv: list[str], env: Mapping[str, str]) -> None:
        """Called in the child of a fork, which does not return."""
        arguments = forked_arguments(argv)
        if arguments is None:
            super().execve(filename, argv, env)
        else:
            run_forked(arguments, env)


class ForkingSupervisor(Supervisor):  # type: ignore[misc]
    """Imports while broker and store start, which need nothing of it."""

    has_imported = False

    def tick(self, now: float | None = None) -> None:
        """Called after each request, and once a second."""
        super().tick(now)
        if not self.has_imported and self._is_time():
            import_shared()
            self.has_imported = True

    def _is_time(self) -> bool:
        backing: Mapping[str, Any] = self.process_groups["backing"].processes
        return all(process.pid for process in backing.values()) and any(
            forked_arguments(shlex.split(process.config.command)) is not None
            for group in self.process_groups.values()
            for process in group.processes.values()
        )


def forked_arguments(command: list[str]) -> list[str] | None:
    """What `run_forked` takes for a command that is one of our programs; None for any other."""
    arguments = guard_arguments(command) if FORKS else None
    return arguments if arguments is not None and module_of(arguments[3:]) in FORKED else None


def main() -> None:
    """Runs until it is told to stop."""
    if FORKS:
        find_title_room()
    options = ForkingOptions()
    options.realize(sys.argv[1:])
    with suppress(ExitNow):
        ForkingSupervisor(options).main()
    options.close_httpservers()
    options.close_logger()


if __name__ == "__main__":
    main()
