"""Where a build of the index is, seen from outside, and stopping it there: SIGSTOP holds a process at its step."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from qdrant_client import QdrantClient

from tests.support.edge import EdgeProcess
from tests.support.waiting import wait_until

DEADLINE_S = 30.0


def optimizer(server: EdgeProcess) -> int | None:
    """Pid of the process that copies and optimizes."""
    return next(iter(_children(server.pid, "edge.host.optimize")), None)


def hosts(server: EdgeProcess) -> list[int]:
    """Pids of the processes that have shards open, oldest first."""
    return sorted(_children(server.pid, "edge.host"))


def is_optimizing(server: EdgeProcess) -> bool:
    """The copy is made, and the optimizer has stepped back."""
    pid = optimizer(server)
    try:
        return pid is not None and os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, server.pid)
    except ProcessLookupError:
        return False


def is_indexed(client: QdrantClient, name: str, at_least: int = 1) -> bool:
    """The build is over."""
    found = client.get_collection(name)
    return found.status == "green" and (found.indexed_vectors_count or 0) >= at_least


def ends(server: EdgeProcess) -> int:
    """How many builds ended well."""
    return server.log.read_text().count("indexing ends")


def shards(data: Path) -> list[str]:
    """Folders of shards, whoever they belong to."""
    return sorted(folder.name for folder in (data / "shards").iterdir())


@contextmanager
def held_while_optimizing(server: EdgeProcess) -> Iterator[int]:
    """The optimizer stands still within the block, with its copy made and its index not."""
    wait_until(lambda: is_optimizing(server), told=server.log.read_text)
    pid = optimizer(server)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)


def _children(pid: int, module: str) -> list[int]:
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):
            if module in child.cmdline():
                found.append(child.pid)
    return found
