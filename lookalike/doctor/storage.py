"""The data folder, its disk, the library and the ports that `lookalike up` would use."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lookalike.doctor.result import CheckResult, broken, ok, warning
from lookalike.errors import LookalikeError, Misconfigured
from lookalike.library.buckets.bucket_faults import BucketFault
from lookalike.library.joined.folders import folders_of, shown
from lookalike.library.opening import objects_of, read_ignore_file
from lookalike.library.rules import Candidates
from lookalike.local.folders.library_identity import usable_library
from lookalike.local.servers.addresses import FIRST_BROKER_PORT, FIRST_STORE_PORT
from lookalike.local.servers.ports import LOOPBACK, reserved_ports
from lookalike.local.supervision.machine_limits import MIB, NEEDED_MIB, free_mib
from lookalike.settings import Settings
from lookalike.system.data_folder import PRIVATE_FOLDER, REMEDY, DataFolder, refuse_foreign
from lookalike.system.discovery import RunningSystem
from lookalike.system.runtime_dir import ports_folder


def check_data_folder(folder: DataFolder) -> CheckResult:
    """Whether `up` can write there, and other users can not read it."""
    there = _nearest(folder.root)
    try:
        if there == folder.root:
            refuse_foreign(folder)
        with tempfile.TemporaryFile(dir=there):
            pass
    except LookalikeError as error:
        return broken("data folder", str(folder.root), str(error))
    except OSError as error:
        return broken("data folder", f"{folder.root} cannot be written ({error.strerror})", REMEDY)
    if there != folder.root:
        return ok("data folder", f"{folder.root}, not made yet")
    mode = stat.S_IMODE(there.stat().st_mode)
    if mode & ~PRIVATE_FOLDER:
        return warning("data folder", f"{there} is open to others (mode {mode:o})", f"chmod 700 {there}")
    return ok("data folder", str(there))


def check_disk(folder: DataFolder) -> CheckResult:
    """Whether there is room to start."""
    free = free_mib(DataFolder(_nearest(folder.root)))
    if free < NEEDED_MIB:
        return broken(
            "disk", f"{free} MiB free", f"Make room, at least {NEEDED_MIB} MiB, or name another folder with --data."
        )
    return ok("disk", f"{free * MIB / 1e9:.1f} GB free")


def check_library(settings: Settings, folder: DataFolder) -> CheckResult:
    """Whether the images can be read."""
    if settings.library is None:
        return ok("library", "none is named; `lookalike up FOLDER` names it")
    library = settings.library
    empty: list[str] = []
    try:
        if isinstance(library, Path):
            roots = [usable_library(root, folder) for root in folders_of(library).values()]
            empty += [str(root) for root in roots if not any(root.iterdir())]
        elif not objects_of(settings, library).has_any():
            empty.append(library)
    except BucketFault as fault:
        return broken("library", shown(library), f"The library {fault}.")
    except LookalikeError as error:
        return broken("library", shown(library), str(error))
    if empty:
        return warning("library", f"{', '.join(empty)} is empty", "Mount its disk, or put images into it.")
    return ok("library", shown(library))


def check_rules(settings: Settings) -> CheckResult:
    """Whether the patterns of what is left out can work."""
    root = settings.library_folder
    roots = [] if root is None else [folder for folder in folders_of(root).values() if folder.is_dir()]
    try:
        files = [read_ignore_file(folder) for folder in roots] or [()]
        every = [Candidates(settings.extensions, settings.ignore, file, settings.ignore_defaults) for file in files]
    except Misconfigured as error:
        return broken("rules", "what is left out is not clear", str(error))
    rules, lines = every[0], [line for file in files for line in file]
    count = len(rules.ignore) + sum(bool(line.strip()) and not line.startswith("#") for line in lines)
    return ok("rules", f"{len(tuple(rules.extensions))} extensions, {count} patterns besides the defaults")


def check_ports(settings: Settings, running: RunningSystem | None) -> Iterator[CheckResult]:
    """The ports of the system that runs here, or those it would take."""
    if running is not None:
        yield ok("ports", f"in use by the system that runs here (pid {running.pid}), {running.flower_url}")
        return
    wanted = [
        ("flower", settings.flower_port, settings.flower_host),
        ("web", settings.web_port, settings.web_host),
    ]
    if settings.redis_url is None:
        wanted.append(("broker", FIRST_BROKER_PORT, LOOPBACK))
    if settings.qdrant_url is None:
        wanted.append(("store", FIRST_STORE_PORT, LOOPBACK))
    with reserved_ports(ports_folder()) as choose_port:
        for part, first, host in wanted:
            try:
                port = choose_port(first, host)
            except LookalikeError as error:
                yield broken(f"port of {part}", f"none from {first} up", str(error))
            else:
                taken = "" if port == first else f"; {first} is taken by another program"
                yield ok(f"port of {part}", f"{port}{taken}")


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
