"""Locks on files: which process holds one, and waiting for its release. The kernel releases them when a process dies.

Windows has no such locks, and no system can run there; a client can, because it only finds that no lock file exists.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# `is_unlocked` holds the lock for microseconds; `hold_lock` tries again for this long before it raises LockHeld.
PROBE_S = 0.5
POLL_S = 0.05


class LockHeld(Exception):
    """Another process has the lock."""


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Holds the lock alone and leaves our pid in the file. Raises LockHeld."""
    with path.open("r+", encoding="ascii") as stream:
        if not _becomes_true(lambda: try_lock(stream), PROBE_S):
            raise LockHeld
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def is_unlocked(path: Path) -> bool:
    """Whether no process holds the lock, alone or shared; a file that does not exist is unlocked."""
    with suppress(FileNotFoundError), path.open("r+", encoding="ascii") as stream:
        return try_lock(stream)
    return True


def lock_holder(path: Path) -> int | None:
    """Pid of the process that holds the lock alone, None if there is none.

    The pid is that of a living process: it was written under the lock, and the lock is still held.
    """
    with suppress(FileNotFoundError, PermissionError), path.open("r", encoding="ascii") as stream:
        if not try_lock(stream, shared=True):
            pid = stream.read()
            return int(pid) if pid.isdigit() else None
    return None


def wait_unlocked(path: Path, timeout_s: float) -> bool:
    """Waits until no process holds the lock; False if one still does after the time."""
    return _becomes_true(lambda: is_unlocked(path), timeout_s)


def try_lock(stream: IO[str], *, shared: bool = False) -> bool:
    """Takes the lock on an open file until that is closed, alone or shared; False if another process has it."""
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
        time.sleep(POLL_S)
    return True
