"""Starts `up` as the process it is, and finds whatever it left behind."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.discovery import RunningSystem, running_on
from tests.support.command_lines import SUPERVISOR, carries
from tests.support.waiting import wait_until
from tests.support.workers import NOT_NICE

ROOT = Path(__file__).resolve().parents[2]
SMALL_SYSTEM = Path(__file__).with_name("small_system.py")
STARTS_WITHIN_S = 40.0
STOPS_WITHIN_S = 10.0
MARK = "LOOKALIKE_TEST_MARK"


class Machine:
    """One `up` on one data folder; every process that comes from it carries a mark in its environment."""

    def __init__(self, tmp_path: Path, name: str = "data") -> None:
        self.tmp_path = tmp_path
        self.library = tmp_path / "my library"
        self.library.mkdir(exist_ok=True)
        self.folder = DataFolder(tmp_path / name)
        self.output = tmp_path / f"{name}.out"
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOOKALIKE_")}
        shared = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.tmp_path), MARK: self.mark, "TERM": "xterm"}
        return {**kept, **shared, **NOT_NICE, **more}

    def small(self, *arguments: str, library: Path | None = None) -> list[str]:
        return [sys.executable, str(SMALL_SYSTEM), str(self.folder.root), str(library or self.library), *arguments]

    def start(self, command: list[str] | None = None, **environment: str) -> RunningSystem:
        self.begin(command, **environment)
        wait_until(lambda: self.running is not None or not self.lives, STARTS_WITHIN_S)
        assert self.running is not None, self.output.read_text()
        return self.running

    def begin(self, command: list[str] | None = None, **environment: str) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command or self.small(), env=self.environment(**environment), stdout=output, stderr=output
            )

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def running(self) -> RunningSystem | None:
        return running_on(self.folder)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, within_s: float = STOPS_WITHIN_S) -> int:
        assert self.process is not None
        return self.process.wait(within_s)

    def processes(self) -> dict[int, list[str]]:
        """Pid and command line of everything that carries the mark, whoever its parent is now."""
        found = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark:
                    found[process.pid] = process.cmdline()
        return found

    def pids(self, word: str) -> list[int]:
        return [pid for pid, command in self.processes().items() if carries(command, word)]

    def is_part(self, pid: int) -> bool:
        """Whether the supervisor started it, so that it is no child of a part."""
        return psutil.Process(pid).ppid() in self.pids(SUPERVISOR)

    def log(self, part: str) -> str:
        path = self.folder.logs / f"{part}.log"
        return path.read_text() if path.exists() else ""

    def kill(self) -> None:
        """SIGKILL to `up` and to the supervisor, which would stop the parts in their order: all end with it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pid in self.pids(SUPERVISOR):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.processes(), STOPS_WITHIN_S, every_s=0.1)

    def clear(self) -> None:
        if self.lives:
            self.send(signal.SIGTERM)
            self.ended(2 * STOPS_WITHIN_S)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.clear()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    make_data_folder(folder)
    return folder
