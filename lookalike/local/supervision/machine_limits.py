"""What this machine allows: open files, processes, room on the disk; and how much of each a system needs."""

import shutil
from collections import deque

from lookalike.errors import Misconfigured, Unreachable
from lookalike.system.data_folder import DataFolder

MIB = 2**20
# The logs may take 90 MiB by themselves, the broker's file and the store's 25 MiB per 10,000 images.
NEEDED_MIB = 100
# With less than this the disk is full: a log line or a batch does not fit any more.
FULL_MIB = 2
# A supervisor that ended so often within so long does not end by chance.
CRASHES = 5
WITHIN_S = 60.0
# supervisord raises a lower soft limit to this, if the hard limit allows it.
FILES, PROCESSES = 1024, 200
# Seen while 1,500 images were indexed: broker 67, Flower 38, ingest 35; the store 12 at 30,000 points (2026-11-25).
# The broker takes one for each connection, so there has to be room for clients.
NEEDED_FILES = 256


def free_mib(folder: DataFolder) -> int:
    """Free room on the disk of the data folder, in MiB."""
    return shutil.disk_usage(folder.root).free // MIB


def need_space(folder: DataFolder, needed_mib: int = NEEDED_MIB) -> None:
    """Raises Misconfigured if there is too little room to start."""
    free = free_mib(folder)
    if free < needed_mib:
        raise Misconfigured(
            f"The disk of the data folder {folder.root} has {free} MiB free and {needed_mib} are needed: "
            "make room, or name another folder with --data."
        )


def why_it_ended(folder: DataFolder, full_mib: int = FULL_MIB) -> str:
    """The most likely reason that all parts ended at once, with the remedy."""
    if free_mib(folder) < full_mib:
        return (
            f"The disk of the data folder {folder.root} is full, and all parts ended: make room and start again, "
            "it goes on where it was."
        )
    return "The supervisor ended, and all parts with it: start again with `lookalike up`."


class CrashLimit:
    """Counts the crashes of the supervisor, each of which ends all parts."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque(maxlen=CRASHES)

    def record_crash(self, now_s: float, folder: DataFolder) -> None:
        """Raises Unreachable if the disk is full, or at the CRASHES-th crash within WITHIN_S seconds."""
        self._at_s.append(now_s)
        if free_mib(folder) < FULL_MIB or (len(self._at_s) == CRASHES and now_s - self._at_s[0] < WITHIN_S):
            raise Unreachable(why_it_ended(folder))


def files_limit() -> int | None:
    """How many files a process may open at most (the hard limit); None without a limit."""
    import resource  # noqa: PLC0415 (Windows has none, and only a client runs there)

    return _hard_limit(resource.RLIMIT_NOFILE)


def processes_limit() -> int | None:
    """How many processes this user may have; None without a limit."""
    import resource  # noqa: PLC0415 (see above)

    return _hard_limit(resource.RLIMIT_NPROC)


def need_files(allowed: int | None) -> None:
    """Raises Misconfigured if a process may not open as many files as a part needs."""
    if allowed is not None and allowed < NEEDED_FILES:
        raise Misconfigured(
            f"A process may open {allowed} files here and {NEEDED_FILES} are needed: raise the hard limit "
            "(`ulimit -Hn`, LimitNOFILE= in a systemd unit, `--ulimit nofile=` of a container)."
        )


def at_most(wanted: int, allowed: int | None) -> int:
    """The wanted number, or the allowed one if that is smaller."""
    return wanted if allowed is None else min(wanted, allowed)


def _hard_limit(kind: int) -> int | None:
    import resource  # noqa: PLC0415 (see above)

    hard = resource.getrlimit(kind)[1]
    return None if hard == resource.RLIM_INFINITY else hard
