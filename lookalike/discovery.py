"""The running system of this machine: what `up` leaves for the other commands, and how they find it."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lookalike.data_folder import DataFolder, data_folder, write_private
from lookalike.errors import Misconfigured
from lookalike.file_locks import holder
from lookalike.runtime_dir import pointer_of, pointers
from lookalike.settings import Distance, Settings

# What another command takes over from the running system unless it was set.
TAKEN_OVER = (
    *("name", "library", "library_id", "extensions", "ignore"),
    *("redis_url", "qdrant_url", "flower_url", "model", "distance"),
)

# So that `lookalike status --wait` may follow `lookalike up &` at once; a start takes seconds.
STARTING_S = 60.0
LOOK_AGAIN_S = 0.1


class RunningSystem(BaseModel):
    """What is known of a running system; the URLs carry their passwords."""

    model_config = ConfigDict(frozen=True)

    pid: int
    data: Path
    library: Path
    library_id: str
    name: str
    model: str
    distance: Distance
    redis_url: str
    qdrant_url: str
    qdrant_api_key: str | None = None
    flower_url: str
    extensions: tuple[str, ...]
    ignore: tuple[str, ...]


def publish(folder: DataFolder, running: RunningSystem) -> None:
    """Lets the other commands find the system."""
    # The pointer first: whoever sees the system by its data folder finds it without being told, too.
    write_private(pointer_of(folder), json.dumps(os.fspath(folder.root)))
    # Not by pydantic, which writes UTF-8: a name on disk need not be.
    write_private(folder.running, json.dumps(running.model_dump(), indent=1, default=os.fspath))


def retract(folder: DataFolder) -> None:
    """Takes that back; nothing happens if there is nothing to take back."""
    folder.running.unlink(missing_ok=True)
    pointer_of(folder).unlink(missing_ok=True)


def find_running(settings: Settings) -> RunningSystem | None:
    """The system that runs on the data folder of these settings.

    If none is set and nothing runs on the user's own, the only one that runs elsewhere. A state file counts only
    while its `up` lives and holds the lock. Raises Misconfigured if several run elsewhere.
    """
    here = running_on(data_folder(settings))
    if here is not None or settings.data is not None:
        return here
    elsewhere = _running_elsewhere()
    if len(elsewhere) > 1:
        folders = ", ".join(str(found.data) for found in elsewhere)
        raise Misconfigured(f"Several systems run: choose one with --data or LOOKALIKE_DATA ({folders}).")
    return elsewhere[0] if elsewhere else None


def find_by_broker(settings: Settings, redis_url: str) -> RunningSystem | None:
    """The system of this machine that uses this broker, if there is one."""
    here = running_on(data_folder(settings))
    return next((found for found in (here, *_running_elsewhere()) if found and found.redis_url == redis_url), None)


def running_on(folder: DataFolder) -> RunningSystem | None:
    """The system that runs on this data folder."""
    with suppress(OSError, ValueError):
        running = RunningSystem.model_validate(json.loads(folder.running.read_bytes()))
        if running.pid == holder(folder.lock):
            return running
    return None


def with_running(settings: Settings) -> Settings:
    """The settings with what the running system knows in place of what was not set; one that starts is waited for.

    Unchanged if nothing runs, or if a REDIS_URL is set that is no such system's: then another one is meant.
    """
    asked_for = settings.redis_url
    if asked_for is None:
        _wait_for_start(data_folder(settings))
        running = find_running(settings)
    else:
        running = find_by_broker(settings, asked_for.get_secret_value())
    if running is None:
        return settings
    known = running.model_dump(mode="python")
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    values |= {name: known[name] for name in TAKEN_OVER if name not in settings.model_fields_set}
    return Settings(**values)


def _wait_for_start(folder: DataFolder) -> None:
    """Returns when the `up` that holds the lock has announced its system or is gone, at the latest after STARTING_S."""
    until = time.monotonic() + STARTING_S
    while holder(folder.lock) is not None and running_on(folder) is None and time.monotonic() < until:
        time.sleep(LOOK_AGAIN_S)


def _running_elsewhere() -> list[RunningSystem]:
    found = []
    for pointer in pointers():
        # Its system may be withdrawing it right now.
        with suppress(OSError, ValueError):
            found.append(running_on(DataFolder(Path(json.loads(pointer.read_text("ascii"))))))
    return [running for running in found if running is not None]
