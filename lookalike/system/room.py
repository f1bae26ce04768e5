"""Whether this machine has room for a second generation of the index: on the disk and in memory."""

import os
import shutil
from pathlib import Path

MIB = 2**20
# Left free on the disk besides the second index (NEEDED_MIB of a start, machine_limits.py).
RESERVE_MIB = 100
# A process without its model: 90 to 110 MiB (Linux, x86-64, 2026-11-30); a loaded one takes about three times its file.
PROCESS_MIB = 110
MODEL_SHARE = 3.0
# The main process of two workers, the search process and the producer.
OTHER_PROCESSES = 4


def folder_mib(folder: Path) -> int:
    """What the files of a folder take on the disk, in MiB."""
    found = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.lstat(os.path.join(root, name)).st_blocks * 512  # noqa: PTH118 (a walk of many files)
            except OSError:
                continue
    return found // MIB


def available_mib(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory that programs can still get, the limit of the container included; None where nothing tells."""
    found: list[int] = []
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) // 1024)
    except (OSError, ValueError, KeyError):
        pass
    try:
        limit, used = (group / "memory.max").read_text("ascii"), (group / "memory.current").read_text("ascii")
        found.append((int(limit) - int(used)) // MIB)
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def needed_memory_mib(model_mib: float, processes: int) -> int:
    """Memory of the second system: each ingest process and the search process load the model."""
    return round((processes + OTHER_PROCESSES) * PROCESS_MIB + (processes + 1) * MODEL_SHARE * model_mib)


def refusal(store: Path | None, model_mib: float, processes: int, *, memory_mib: int | None) -> str:
    """Why there is no room, a sentence with the remedy; empty if there is. `store` is the embedded store's folder."""
    if store is not None and store.is_dir():
        needed, free = folder_mib(store) + RESERVE_MIB, shutil.disk_usage(store).free // MIB
        if free < needed:
            return (
                f"The disk of {store} has {free} MiB free and a second index needs about {needed} MiB: make room, or "
                "drop the index from before a switch with `lookalike reindex --drop-old`."
            )
    needed = needed_memory_mib(model_mib, processes)
    if memory_mib is not None and memory_mib < needed:
        return (
            f"This machine has {memory_mib} MiB of memory left and a second model in {processes + 1} processes needs "
            f"about {needed} MiB: end other programs, or start with fewer LOOKALIKE_INGEST_PROCESSES."
        )
    return ""
