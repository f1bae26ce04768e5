"""`lookalike down`: signals the running `up` to stop and waits until none of its processes is left."""

import os
import signal
from contextlib import suppress

from lookalike.errors import NotRunning, TimedOut
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder
from lookalike.system.discovery import find_running
from lookalike.system.file_locks import is_unlocked, lock_holder, wait_unlocked

PATIENCE_S = 15.0


def down(settings: Settings) -> None:
    """Returns when all has stopped. Raises NotRunning, TimedOut if something is still there after PATIENCE_S."""
    running = find_running(settings)
    folder = data_folder(settings) if running is None else DataFolder(running.data)
    pid = lock_holder(folder.lock)
    if pid is None and is_unlocked(folder.parts_lock):
        raise NotRunning(f"Nothing is running on {folder.root}.")
    if pid is not None:
        # The pid is right: the process that holds the lock wrote it and is alive.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    if not (wait_unlocked(folder.lock, PATIENCE_S) and wait_unlocked(folder.parts_lock, PATIENCE_S)):
        raise TimedOut(f"Not stopped after {PATIENCE_S:g} s: `kill -9 {pid}` ends it, and `lookalike logs` says why.")
