"""Child processes of the server: their command line, and how they end with their parent."""

import ctypes
import os
import signal
import sys

# linux/prctl.h
PR_SET_PDEATHSIG = 1


def child_command(module: str, *arguments: str) -> list[str]:
    """Command line of a child process; its first argument is the pid of this process."""
    return [sys.executable, "-m", module, str(os.getpid()), *arguments]


def die_with_parent(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent dies (Linux; elsewhere it ends at its next read)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)
