"""The running system of this machine: `up` publishes its addresses, the other commands and the client find them.

Below the client: nothing here keeps processes, so that a client or a worker loads no process manager.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress, LibraryAddress, absolute
from lookalike.library.ignore_defaults import DEFAULT_IGNORE
from lookalike.library.joined.folders import shown
from lookalike.settings import Distance, Settings
from lookalike.system.data_folder import DataFolder, data_folder, known_folders, write_private
from lookalike.system.file_locks import lock_holder
from lookalike.system.runtime_dir import pointer_of, pointers

# Settings that another command inherits from the running system unless they were set.
INHERITED = (
    *("name", "library", "library_id", "extensions", "ignore", "ignore_defaults"),
    *("redis_url", "qdrant_url", "flower_url", "flower_auth", "web_url", "model", "distance"),
)

# So that `lookalike status --wait` may follow `lookalike up &` at once; a start takes seconds.
STARTING_S = 60.0
POLL_S = 0.1


class RunningSystem(BaseModel):
    """What is known of a running system; the URLs carry their passwords."""

    model_config = ConfigDict(frozen=True)

    pid: int
    data: Path
    library: LibraryAddress
    # Of a library of several, whose `library` joins them.
    folders: tuple[Path, ...] = ()
    library_id: str
    name: str
    model: str
    distance: Distance
    redis_url: str
    qdrant_url: str
    qdrant_api_key: str | None = None
    flower_url: str
    # user:password, for `lookalike status`.
    flower_auth: str | None = None
    web_url: str | None = None
    # Where the supervisor listens, which depends on the TMPDIR of `up`.
    supervisor_socket: Path | None = None
    extensions: tuple[str, ...]
    ignore: tuple[str, ...]
    ignore_defaults: tuple[str, ...] = DEFAULT_IGNORE


def publish(folder: DataFolder, running: RunningSystem) -> None:
    """Writes the addresses where the other commands look for them."""
    # The pointer first: whatever finds the system by its data folder finds it without being told, too.
    write_private(pointer_of(folder), json.dumps(os.fspath(folder.root)))
    # Not by pydantic, which writes UTF-8: a name on disk need not be.
    write_private(folder.running, json.dumps(running.model_dump(), indent=1, default=os.fspath))


def retract(folder: DataFolder) -> None:
    """Removes what `publish` wrote, if anything."""
    folder.running.unlink(missing_ok=True)
    pointer_of(folder).unlink(missing_ok=True)


def find_running(settings: Settings) -> RunningSystem | None:
    """The system that runs on the data folder of these settings.

    If none is set: that of the library that is set, else that of the library in which the working folder lies, else the
    only one. A state file counts only while its `up` lives and holds the lock. Raises Misconfigured if several run.
    """
    if settings.data is not None:
        return running_on(data_folder(settings))
    found = running_systems(settings)
    if settings.library is not None:
        wanted = absolute(settings.library)
        return next((system for system in found if wanted in (system.library, *system.folders)), None)
    around = _around(_working_folder(), found)
    if around is not None:
        return around
    if len(found) > 1:
        libraries = ", ".join(shown(system.library) for system in found)
        raise Misconfigured(f"Several systems run: choose one with --library, or go into its folder ({libraries}).")
    return found[0] if found else None


def library_around(file: Path, settings: Settings) -> Path | BucketAddress | None:
    """The library of a running system in which this file lies; None if none is meant so, or another was chosen."""
    if settings.data is not None or settings.library is not None or settings.redis_url is not None:
        return None
    around = _around(file.absolute(), running_systems(settings)) if file.exists() else None
    return None if around is None else around.library


def running_systems(settings: Settings) -> list[RunningSystem]:
    """All systems of this user that run on this machine, that on the user's own data folder first."""
    found = (running_on(data_folder(settings)), *_running_elsewhere())
    return [*{system.data: system for system in found if system is not None}.values()]


def find_by_broker(settings: Settings, redis_url: str) -> RunningSystem | None:
    """The system of this machine that uses this broker, if there is one."""
    return next((found for found in running_systems(settings) if found.redis_url == redis_url), None)


def running_on(folder: DataFolder) -> RunningSystem | None:
    """The system that runs on this data folder."""
    with suppress(OSError, ValueError):
        running = RunningSystem.model_validate(json.loads(folder.running.read_bytes()))
        if running.pid == lock_holder(folder.lock):
            return running
    return None


def with_running(settings: Settings) -> Settings:
    """The settings, with those of the running system where none was set; waits for a system that is starting.

    Unchanged if nothing runs, or if REDIS_URL names another broker than that of a system of this machine.
    """
    asked_for = settings.redis_url
    if asked_for is None:
        running = find_running(settings) or _starting(settings)
    else:
        running = find_by_broker(settings, asked_for.get_secret_value())
    if running is None:
        return settings
    known = running.model_dump(mode="python")
    # It chose the system, which has the same folder by its absolute path.
    chosen = {"library"} if asked_for is None and settings.data is None else set()
    values = {name: getattr(settings, name) for name in settings.model_fields_set - chosen}
    values |= {name: known[name] for name in INHERITED if name not in values}
    return Settings(**values)


def _around(path: Path, systems: list[RunningSystem]) -> RunningSystem | None:
    # One library may lie in another.
    around = [
        (len(folder.parts), at)
        for at, system in enumerate(systems)
        for folder in (system.library, *system.folders)
        if isinstance(folder, Path) and path.is_relative_to(folder)
    ]
    return systems[max(around)[1]] if around else None


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:
        # It was removed.
        return Path()


def _starting(settings: Settings) -> RunningSystem | None:
    """The system whose `up` holds its lock, once it has published its addresses; waits for that, at most STARTING_S."""
    home = data_folder(settings)
    folders = [home] if settings.data is not None else [*known_folders(home)]
    until = time.monotonic() + STARTING_S
    while any(lock_holder(folder.lock) is not None for folder in folders) and time.monotonic() < until:
        running = find_running(settings)
        if running is not None or all(running_on(folder) for folder in folders if lock_holder(folder.lock)):
            return running
        time.sleep(POLL_S)
    return None


def _running_elsewhere() -> list[RunningSystem]:
    found = []
    for pointer in pointers():
        # Its system may be retracting it right now.
        with suppress(OSError, ValueError):
            found.append(running_on(DataFolder(Path(json.loads(pointer.read_text("ascii"))))))
    return [running for running in found if running is not None]
