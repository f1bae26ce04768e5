"""The machine itself: Python, the processor, and what the kernel lets us watch."""

import ctypes
import os
import platform
import sys
import time
from pathlib import Path

from lookalike.doctor.result import CheckResult, broken, ok, warning
from lookalike.library.address import BucketAddress
from lookalike.library.joined.folders import folders_of
from lookalike.settings import Settings

OLDEST, NEWEST = (3, 11), (3, 14)
# What ONNX Runtime's kernels are written for, best last; without AVX2 a model takes several times as long.
X86 = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
ARM = ("asimd", "asimddp", "i8mm", "sve")
LIMITS = ("max_user_watches", "max_user_instances", "max_queued_events")
# A share with millions of folders is not walked to its end for a number.
COUNTING_S = 3.0
# sys/inotify.h
IN_CREATE = 0x100


def check_python() -> CheckResult:
    """Whether this Python is one that we support."""
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}, {platform.platform()}"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return ok("python", found)
    return broken("python", found, "Install Python 3.11 to 3.14 and make the environment again.")


def check_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> CheckResult:
    """The cores that we may use, and which of the instructions that a model runs on they have."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    has = _features(cpuinfo)
    known = [name for name in (*X86, *ARM) if name in has]
    found = f"{cores} cores, {platform.machine()}" + (f" with {', '.join(known)}" if known else "")
    if has and not known:
        return warning(
            "processor", found, "Images take several times as long without AVX2: if this is a virtual machine, "
            "pass the host's processor through."
        )  # fmt: skip
    return ok("processor", found)


def check_watching(settings: Settings, limits: Path = Path("/proc/sys")) -> CheckResult:
    """Whether the kernel reports changes in the library, and in how many folders."""
    if isinstance(settings.library, BucketAddress):
        how = "scans" if settings.bucket_events is None else f"scans, and notifications in {settings.bucket_events}"
        return ok("watching", f"{how}: a bucket is not watched")
    if settings.polling:
        return ok("watching", f"polling every {settings.poll_s:g} s (LOOKALIKE_POLLING)")
    if not sys.platform.startswith("linux"):
        return ok("watching", f"events of {platform.system()}")
    allowed = {name: _number(limits / "fs/inotify" / name) for name in LIMITS}
    found = "inotify " + ", ".join(f"{name.removeprefix('max_')} {value}" for name, value in allowed.items())
    roots = () if settings.library_folder is None else folders_of(settings.library_folder).values()
    folders = sum(_folders(root, COUNTING_S) for root in roots) or 1
    refused = _watch_error()
    if refused is not None:
        return warning(
            "watching", f"{found}; a watch is refused ({refused})",
            "The library is polled, which is slower: sysctl fs.inotify.max_user_watches=1048576 "
            "fs.inotify.max_user_instances=1024.",
        )  # fmt: skip
    watches = allowed["max_user_watches"]
    if watches is not None and folders > watches:
        return warning(
            "watching", f"{found}; the library has at least {folders} folders",
            f"Each folder takes a watch, else the library is polled: sysctl fs.inotify.max_user_watches={4 * folders}.",
        )  # fmt: skip
    return ok("watching", found)


def _features(cpuinfo: Path) -> set[str]:
    """The processor's features; empty where the system does not list them."""
    try:
        lines = cpuinfo.read_text("utf-8").splitlines()
    except OSError:
        return set()
    return {word for line in lines if line.startswith(("flags", "Features")) for word in line.split(":", 1)[1].split()}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _folders(root: Path, most_s: float) -> int:
    """Folders of the library, as many as are counted in that time."""
    until, count = time.monotonic() + most_s, 0
    for _ in os.walk(root):
        count += 1
        if time.monotonic() > until:
            break
    return count


def _watch_error() -> str | None:
    """The kernel's error for one more watch; None if it gives one."""
    kernel = ctypes.CDLL(None, use_errno=True)
    events = kernel.inotify_init1(os.O_CLOEXEC)
    if events < 0:
        return os.strerror(ctypes.get_errno())
    try:
        return os.strerror(ctypes.get_errno()) if kernel.inotify_add_watch(events, b"/", IN_CREATE) < 0 else None
    finally:
        os.close(events)
