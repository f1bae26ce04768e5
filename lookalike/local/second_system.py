"""The processes that fill in a second generation: ingest, search and producer over the same library, by another name.

They are a system of their own, with its own queues and its own alias. So each change of the library reaches both
generations, and what ends one process leaves the searches of the first alone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lookalike.backoff import backoff_s
from lookalike.local.supervision.processes import worker_command
from lookalike.settings import Settings, variable_of
from lookalike.system.process_guard import GUARDIAN, guarded_command
from lookalike.system.service_paths import python_module

# A process that lived so long has started; the pauses before the next starts begin at the first one.
LIVED_S = 30.0


def second_settings(settings: Settings, model: str, distance: str) -> Settings:
    """The settings of the second system."""
    return settings.model_copy(
        update={
            "name": settings.keys.next.system,
            "succeeds": settings.name,
            "model": model,
            "distance": distance,
            # Those of the first system tell of each file once.
            "max_events": 0,
            "alive_file": None,
        }
    )


def second_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of its processes; the rest is that of the first system."""
    ours = ("name", "succeeds", "model", "distance", "max_events")
    kept = {name: value for name, value in inherited.items() if name != variable_of("alive_file")}
    return {**kept, **{variable_of(name): str(getattr(settings, name)) for name in ours}, GUARDIAN: str(os.getpid())}


def second_commands(settings: Settings) -> dict[str, list[str]]:
    """The command of each of its processes."""
    keys = settings.keys
    return {
        "ingest": worker_command("ingest", settings.name, f"{keys.ingest},{keys.rescan}", settings.processes),
        "search": worker_command("search", settings.name, keys.search, 1),
        "producer": python_module("producer"),
    }


class SecondSystem:
    """Its processes, each started again when it ends. They end with this process, however it ends."""

    def __init__(self, environment: Mapping[str, str], commands: Mapping[str, Sequence[str]]) -> None:
        self._environment = environment
        self._commands = commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started_s: dict[str, float] = {}
        self._ended: dict[str, int] = dict.fromkeys(self._commands, 0)
        self._again_s: dict[str, float] = dict.fromkeys(self._commands, 0.0)

    @property
    def is_started(self) -> bool:
        """Whether `keep_alive` was called since the last stop."""
        return bool(self._running)

    def run(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the second system to its end; what it prints is returned."""
        return run_program(command, self._environment)

    def keep_alive(self) -> None:
        """Starts what does not run."""
        now_s = time.monotonic()
        for name, command in self._commands.items():
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                del self._running[name]
                lived_s = now_s - self._started_s[name]
                self._ended[name] = 1 if lived_s > LIVED_S else self._ended[name] + 1
                self._again_s[name] = now_s + backoff_s(self._ended[name])
            if now_s >= self._again_s[name]:
                self._running[name] = self._start(command)
                self._started_s[name] = now_s

    def stop(self) -> None:
        """Kills all: what they have in hand is dropped with the index, or found again by the scan after a switch."""
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._running.clear()

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        lock = "parts.lock" if Path("parts.lock").exists() else "-"
        return subprocess.Popen(
            guarded_command(signal.SIGKILL, [*command], lock=lock), env=self._environment, stdin=subprocess.DEVNULL
        )


def run_program(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Runs a program to its end, which comes with that of this process; its output is returned, its log shown."""
    guarded = guarded_command(signal.SIGTERM, [*command])
    done = subprocess.run(
        guarded, env={**environment, GUARDIAN: str(os.getpid())}, capture_output=True, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    return done
