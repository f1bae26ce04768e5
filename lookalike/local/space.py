"""Room on the disk of the data folder: without it broker, store and logs cannot write, and nothing goes on."""

import shutil

from lookalike.errors import Misconfigured
from lookalike.local.folder import DataFolder

MIB = 2**20
# The logs may take 90 MiB by themselves, the broker's file and the store's 25 MiB per 10,000 images.
NEEDED_MIB = 100
# Less than this is full: a log line or a batch does not fit any more.
FULL_MIB = 2


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
