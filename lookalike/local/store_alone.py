"""The store of a system for a command that works on it directly, whether the system runs or not.

If it does not run, the embedded engine of the data folder is started alone for as long as the command takes, under the
lock that `up` takes.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from lookalike.errors import LookalikeError, Misconfigured, NotRunning
from lookalike.library.address import BucketAddress, absolute, library_address
from lookalike.library.joined.folders import shown
from lookalike.local.folders.data_version import bring_forward
from lookalike.local.folders.joining import root_with
from lookalike.local.folders.library_folders import adopt_renamed, folder_of
from lookalike.local.folders.library_identity import identity_of, keep_identity, owned_by, usable_library
from lookalike.local.servers.addresses import FIRST_STORE_PORT, absolute_model
from lookalike.local.servers.embedded import embedded_password, store_url_at
from lookalike.local.servers.ports import reserved_ports
from lookalike.local.servers.reachable import ask_own_store
from lookalike.local.supervision.preflight import need_extras, only_up_on, wait_for_leftovers
from lookalike.local.supervision.processes import process_environment, store_command
from lookalike.local.supervision.startup import last_line
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder, make_data_folder, open_private
from lookalike.system.discovery import find_by_broker, with_running
from lookalike.system.generation_file import with_served
from lookalike.system.parts import packages_of
from lookalike.system.process_guard import guarded_command
from lookalike.system.runtime_dir import ports_folder

SERVES_STORE = ("qdrant-edge-py", "starlette", "uvicorn", "orjson")
READY_WITHIN_S = 120.0
STOPS_WITHIN_S = 10.0
POLL_S = 0.05


@contextmanager
def reachable_store(given: Settings) -> Iterator[Settings]:
    """Settings by which the store can be reached while the block runs, with its library as far as that is known.

    That of the running system, else the server at QDRANT_URL, else the embedded engine of the data folder; with a
    library a new data folder is made for it. Raises NotRunning if there is no store, Misconfigured.
    """
    # Waits for an `up` that is starting.
    settings = with_running(given)
    running = find_by_broker(given, "" if settings.redis_url is None else settings.redis_url.get_secret_value())
    if running is not None and settings.qdrant_url == running.qdrant_url:
        if given.library is not None and absolute(given.library) not in (running.library, *running.folders):
            other = shown(running.library)
            raise Misconfigured(f"A system runs on {other}: leave --library out, or name another --data.")
        key = None if running.qdrant_api_key is None else SecretStr(running.qdrant_api_key)
        yield settings.model_copy(update={"data": running.data, "qdrant_api_key": key})
        return
    folder = folder_for(given)
    # With REDIS_URL a system elsewhere is meant, which knows its library.
    if given.redis_url is not None or (given.library is None and not folder.identity.exists()):
        if settings.qdrant_url is None:
            raise NotRunning(
                f"There is no store: nothing runs, QDRANT_URL is not set, and {folder.root} is no data folder of ours: "
                "name one with --data; `lookalike import` makes a new one, for the folder of its option --library."
            )
        yield settings
        return
    with _owned(settings, folder) as known:
        if settings.qdrant_url is not None:
            yield known
            return
        with started_alone(known, folder) as ours:
            yield ours


def folder_for(settings: Settings) -> DataFolder:
    """The data folder that is set, else that of the library that is set, else the user's own."""
    if settings.library is None:
        return data_folder(settings)
    return folder_of(absolute(settings.library), settings)


@contextmanager
def held_folder(folder: DataFolder) -> Iterator[None]:
    """A data folder, made if need be and brought to this version, held as `up` holds it. Raises Misconfigured."""
    make_data_folder(folder)
    with only_up_on(folder):
        wait_for_leftovers(folder, _sleep)
        bring_forward(folder)
        yield


@contextmanager
def _owned(settings: Settings, folder: DataFolder) -> Iterator[Settings]:
    """The settings with the library of the data folder, under its lock. A new one is bound when the block is done."""
    root = None if settings.library is None else usable_library(settings.library, folder)
    with held_folder(folder):
        settings = with_served(settings, folder.root, absolute_model)
        owned = owned_by(folder)
        if root is None and owned.root is not None:
            yield _with_library(settings, folder, library_address(owned.root), settings.library_id or owned.id)
            return
        if root is None:
            raise Misconfigured(f"The data folder {folder.root} belongs to no library yet: name it with --library.")
        root = root_with(folder, root) if isinstance(root, Path) else root
        adopt_renamed(root, folder, settings.library_id)
        library_id = identity_of(root, folder, rebuild=False, given=settings.library_id)
        yield _with_library(settings, folder, root, library_id)
        keep_identity(root, library_id, folder)


def _with_library(
    settings: Settings, folder: DataFolder, root: Path | BucketAddress, library_id: str | None
) -> Settings:
    return settings.model_copy(update={"data": folder.root, "library": root, "library_id": library_id})


@contextmanager
def started_alone(settings: Settings, folder: DataFolder) -> Iterator[Settings]:
    """The embedded engine of a data folder whose lock is held, without the other parts. Raises Misconfigured."""
    need_extras([name for name in packages_of("edge") if name in SERVES_STORE])
    with reserved_ports(ports_folder()) as choose_port:
        port = choose_port(FIRST_STORE_PORT)
        key = embedded_password(folder)
        ours = settings.model_copy(update={"qdrant_url": store_url_at(port), "qdrant_api_key": SecretStr(key)})
        command = guarded_command(signal.SIGTERM, store_command(ours, port), lock=str(folder.parts_lock))
        with _process(command, folder, process_environment(ours, os.environ)) as process:
            _wait_until_ready(process, ours, folder)
            yield ours


@contextmanager
def _process(
    command: list[str], folder: DataFolder, environment: Mapping[str, str]
) -> "Iterator[subprocess.Popen[bytes]]":
    with open_private(folder.logs / "store.log") as log:
        process = subprocess.Popen(
            command,
            cwd=folder.root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", settings: Settings, folder: DataFolder) -> None:
    until = time.monotonic() + READY_WITHIN_S
    key = settings.qdrant_api_key
    while True:
        try:
            ask_own_store(settings.qdrant_url or "", "" if key is None else key.get_secret_value())
        except LookalikeError:
            if process.poll() is not None or time.monotonic() > until:
                last = last_line(folder.logs / "store.log")
                raise Misconfigured(f"The store does not start: {last} (see `lookalike logs store`).") from None
            time.sleep(POLL_S)
        else:
            return


def _sleep(for_s: float) -> bool:
    time.sleep(for_s)
    return False
