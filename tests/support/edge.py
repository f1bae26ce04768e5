"""Runs the edge server as a process of its own, for the tests of whoever needs a vector store."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qdrant_client import QdrantClient

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 10.0
_READY = re.compile(r"ready url=(\S+)")


@dataclass
class EdgeProcess:
    """A running server. `log` is what it wrote to stderr."""

    url: str
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL: no chance to flush."""
        self.process.kill()
        self.process.wait(STOP_DEADLINE_S)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_DEADLINE_S)


def edge_command(data: Path, *more: str) -> list[str]:
    """What starts a server on this folder."""
    return [sys.executable, "-m", "edge", "--data", str(data), *more]


@contextmanager
def edge_process(data: Path, port: int | None = None, *more: str, within: Sequence[str] = ()) -> Iterator[EdgeProcess]:
    """Starts a server on a folder and waits until it is ready; on the way out it is stopped if it still runs.

    Without a port it takes a free one; `within` is a command that gives it surroundings of its own. Its log lies beside
    the folder and is appended to by the next one.
    """
    log = data.with_name(data.name + ".log")
    with log.open("ab") as sink:
        sink.seek(0, os.SEEK_END)
        begin = sink.tell()
        process = subprocess.Popen(
            [*within, *edge_command(data, "--port", str(0 if port is None else port), *more)],
            cwd=ROOT,
            stdout=sink,
            stderr=sink,
        )
        try:
            yield EdgeProcess(_wait_until_ready(process, log, begin), log, process)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@contextmanager
def client_of(server: EdgeProcess) -> Iterator[QdrantClient]:
    """A client of a server that the test will stop.

    Without the version check: that runs in a thread, may find the server gone, and says so with a warning.
    """
    client = QdrantClient(url=server.url, check_compatibility=False)
    try:
        yield client
    finally:
        client.close()


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path, begin: int) -> str:
    def ready() -> re.Match[str] | None:
        said = log.read_bytes()[begin:].decode()
        found = _READY.search(said)
        if found is None and process.poll() is not None:
            raise RuntimeError(f"edge ended with {process.returncode}: {said}")
        return found

    found = wait_until(ready, START_DEADLINE_S, told=log.read_text)
    assert found is not None
    return found[1]
