"""Room on the disk of the data folder, and whether all parts may be started again after they ended at once."""

import shutil
from collections import deque

from lookalike.data_folder import DataFolder
from lookalike.errors import Misconfigured, Unreachable

MIB = 2**20
# The logs may take 90 MiB by themselves, the broker's file and the store's 25 MiB per 10,000 images.
NEEDED_MIB = 100
# Less than this is full: a log line or a batch does not fit any more.
FULL_MIB = 2
# A supervisor that ended so often within so long does not end by chance.
ENDS = 5
WITHIN_S = 60.0


def free_mib(folder: DataFolder) -> int:
    """Room that is left, in MiB."""
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
    """Remembers when all parts ended at once."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque(maxlen=ENDS)

    def add(self, now_s: float, folder: DataFolder) -> None:
        """Takes one more end. Raises Unreachable if there is no room on the disk, or if it happens again and again."""
        self._at_s.append(now_s)
        if free_mib(folder) < FULL_MIB or (len(self._at_s) == ENDS and now_s - self._at_s[0] < WITHIN_S):
            raise Unreachable(why_it_ended(folder))
