"""What the server's child processes have in common: how they are started, and that they do not outlive it."""

import ctypes
import os
import signal
import sys

# linux/prctl.h
PR_SET_PDEATHSIG = 1


def command(module: str, *arguments: str) -> list[str]:
    """What starts a child; its first argument is the pid of this process."""
    return [sys.executable, "-m", module, str(os.getpid()), *arguments]


def die_with(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent dies (Linux; elsewhere it ends when it next listens)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)
