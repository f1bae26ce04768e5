"""Names this process so that others can tell later whether it still lives."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Machine, id and start of this process. Ids are given out again, the start tells one process from the next."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def lives(process: str) -> bool | None:
    """Whether a process that was named so lives; None if it is one of another machine."""
    host, pid, started = process.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    return started == _started(int(pid))


def _started(pid: int) -> str | None:
    """When it started, in ticks since boot, proc(5) field 22; without /proc "0" if it lives. None if it is dead."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        # Z and X: it is dead and nobody has asked how it ended.
        return None if said[0] in "ZX" else said[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "0"
