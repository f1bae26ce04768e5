"""Names this process so that others can tell later whether it is still alive."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Machine, id and start time of this process. Ids are reused, the start time tells one process from the next."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_time(pid)}"


def is_alive(process: str) -> bool | None:
    """Whether the process of this name is alive; None if it is one of another machine."""
    host, pid, started = process.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    return started == _start_time(int(pid))


def _start_time(pid: int) -> str | None:
    """Start time in ticks since boot, proc(5) field 22; without /proc "0" if it is alive. None if it is dead."""
    try:
        stat_fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        # Z and X: it is dead, and its parent has not waited for it.
        return None if stat_fields[0] in "ZX" else stat_fields[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "0"
