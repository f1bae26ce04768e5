"""Kills processes of a running system with SIGKILL, by a seed."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.local.conftest import Machine
from tests.support.command_lines import carries, worker_word

# What tells the command line of each part from the others.
WORDS = {
    "broker": "valkey-server",
    "store": "edge",
    "ingest": worker_word("ingest"),
    "search": worker_word("search"),
    "producer": "producer",
}
# Only workers have children that work.
PARENTS = ("ingest", "search")
# One process, two at once, or all of them, as when the power fails.
HOW_MANY = {1: 0.7, 2: 0.2, 100: 0.1}


@dataclass
class Killer:
    """Knows who can be killed and whom it killed."""

    machine: Machine
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self) -> None:
        """Kills somebody who is there, or several at once."""
        victims = sorted(self._victims())
        (wanted,) = self.chance.choices(list(HOW_MANY), list(HOW_MANY.values()))
        for name, pid in self.chance.sample(victims, min(len(victims), wanted)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[name] += 1

    def _victims(self) -> Iterator[tuple[str, int]]:
        for pid, command in self.machine.processes().items():
            for part, word in WORDS.items():
                if carries(command, word):
                    # It may have died since it was listed.
                    with suppress(OSError, psutil.NoSuchProcess):
                        is_part = self.machine.is_part(pid)
                        if is_part or part in PARENTS:
                            yield (part if is_part else f"{part} child"), pid
