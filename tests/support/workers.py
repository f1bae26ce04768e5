"""Runs Celery workers as processes of their own, the way `up` starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 20.0
# A worker that gives way to everything else on the machine would not get on while other tests run. What measures
# (tests/programs, bench) is run without pytest, and keeps the default.
NOT_NICE = {"LOOKALIKE_INGEST_NICE": "0"} if "PYTEST_VERSION" in os.environ else {}


@dataclass
class WorkerProcess:
    """A running worker. `log` is what it wrote."""

    log: Path
    process: "subprocess.Popen[bytes]"

    def children(self) -> list[int]:
        """Ids of the pool's processes."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def kill(self) -> None:
        """SIGKILL to the main process; its children die with it."""
        self.process.kill()
        self.process.wait(STOPS_WITHIN_S)

    def said(self) -> str:
        """The log so far."""
        return self.log.read_text()


def worker_environment(**settings: str | Path) -> dict[str, str]:
    """This process's environment without our settings, then the given ones."""
    ours = ("LOOKALIKE_", "REDIS_URL", "QDRANT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | NOT_NICE | {name: str(value) for name, value in settings.items()}


@contextmanager
def worker_process(
    log: Path,
    environment: Mapping[str, str],
    *,
    queues: str,
    name: str = "ingest",
    within: Sequence[str] = (),
    processes: int = 1,
) -> Iterator[WorkerProcess]:
    """Starts a worker on these queues and waits until it is ready; stops it on the way out.

    `within` is a command that gives it surroundings of its own.
    """
    command = [*within, sys.executable, "-m", "celery", "--app", "worker", "worker", "--concurrency", str(processes)]
    command += ["--queues", queues, "--hostname", f"{name}@test", "--loglevel", "INFO"]
    command += ["--without-gossip", "--without-mingle"]
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=sink, stderr=sink)
    try:
        wait_until(lambda: b" ready." in log.read_bytes()[begin:] or process.poll() is not None, STARTS_WITHIN_S)
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}: {log.read_text()}")
        yield WorkerProcess(log, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
