"""Locks on files: who holds one, and waiting until nobody does. The kernel lets go of them when a process dies.

Windows has no such locks, and no system can run there; but a client can, which only finds that there is no lock file.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# Whoever only asks holds the lock for microseconds; `hold` tries again for this long before it believes it.
GLANCE_S = 0.5
LOOK_AGAIN_S = 0.05


class Held(Exception):
    """Another process has the lock."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the lock alone and leaves our pid in the file. Raises Held."""
    with path.open("r+", encoding="ascii") as stream:
        if not _becomes_true(lambda: take(stream), GLANCE_S):
            raise Held
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock alone or shared; a file that is not there is free."""
    with suppress(FileNotFoundError), path.open("r+", encoding="ascii") as stream:
        return take(stream)
    return True


def holder(path: Path) -> int | None:
    """Pid of the process that holds the lock alone, None if nobody does.

    The pid is that of a living process: it was written under the lock, and the lock is still held.
    """
    with suppress(FileNotFoundError, PermissionError), path.open("r", encoding="ascii") as stream:
        if not take(stream, shared=True):
            pid = stream.read()
            return int(pid) if pid.isdigit() else None
    return None


def wait_free(path: Path, timeout_s: float) -> bool:
    """Waits until nobody holds the lock; False if somebody still does after the time."""
    return _becomes_true(lambda: is_free(path), timeout_s)


def take(stream: IO[str], *, shared: bool = False) -> bool:
    """Takes the lock on an open file until that is closed, alone or with others; False if somebody has it."""
    import fcntl  # noqa: PLC0415 (see above)

    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _becomes_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_AGAIN_S)
    return True
