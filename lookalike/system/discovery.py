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
from lookalike.library.ignore_defaults import DEFAULT_IGNORE
from lookalike.settings import Distance, Settings
from lookalike.system.data_folder import DataFolder, data_folder, write_private
from lookalike.system.file_locks import lock_holder
from lookalike.system.runtime_dir import pointer_of, pointers

# Settings that another command inherits from the running system unless they were set.
INHERITED = (
    *("name", "library", "library_id", "extensions", "ignore", "ignore_defaults"),
    *("redis_url", "qdrant_url", "flower_url", "web_url", "model", "distance"),
)

# So that `lookalike status --wait` may follow `lookalike up &` at once; a start takes seconds.
STARTING_S = 60.0
POLL_S = 0.1


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
    web_url: str | None = None
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
        if running.pid == lock_holder(folder.lock):
            return running
    return None


def with_running(settings: Settings) -> Settings:
    """The settings, with those of the running system where none was set; waits for a system that is starting.

    Unchanged if nothing runs, or if REDIS_URL names another broker than that of a system of this machine.
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
    values |= {name: known[name] for name in INHERITED if name not in settings.model_fields_set}
    return Settings(**values)


def _wait_for_start(folder: DataFolder) -> None:
    """Returns when the `up` that holds the lock has published its system or ended, at most STARTING_S."""
    until = time.monotonic() + STARTING_S
    while lock_holder(folder.lock) is not None and running_on(folder) is None and time.monotonic() < until:
        time.sleep(POLL_S)


def _running_elsewhere() -> list[RunningSystem]:
    found = []
    for pointer in pointers():
        # Its system may be retracting it right now.
        with suppress(OSError, ValueError):
            found.append(running_on(DataFolder(Path(json.loads(pointer.read_text("ascii"))))))
    return [running for running in found if running is not None]
