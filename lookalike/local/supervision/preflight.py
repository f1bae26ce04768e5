"""What must hold before anything is started: extras, the given servers, and no other `up` on the data folder."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.local.servers.reachable import require_broker, require_store
from lookalike.local.supervision.machine_limits import files_limit, need_files
from lookalike.local.supervision.supervisor_calls import is_listening
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.file_locks import LockHeld, hold_lock, is_unlocked, lock_holder
from lookalike.system.parts import EXTRAS, OPTIONAL, is_installed, packages_of

# For a broker or store that is given and may be starting.
PATIENCE_S = 4.0
LEFTOVERS_S = 15.0
POLL_S = 0.1


def need_host(library: Path | BucketAddress) -> None:
    """Raises Misconfigured if this machine lacks what `up` needs: locks, packages, room for open files."""
    need_locks()
    need_extras(packages_for(library))
    need_files(files_limit())


def need_locks() -> None:
    """Raises Misconfigured on a system that has no locks on files, nor sockets and signals as the parts need them."""
    if find_spec("fcntl") is None:
        raise Misconfigured(
            "`lookalike up` runs on Linux and macOS: on Windows start it in WSL2, or the containers with "
            "`docker compose up`; a client works here with REDIS_URL."
        )


def needed_packages() -> list[str]:
    """The packages of all extras that a part needs, each once."""
    every = dict.fromkeys(chain.from_iterable(map(packages_of, EXTRAS)))
    return [package for package in every if package not in OPTIONAL]


def packages_for(library: Path | BucketAddress) -> list[str]:
    """Those, and what this kind of library needs."""
    return [*needed_packages(), *(packages_of("s3") if isinstance(library, BucketAddress) else [])]


def need_extras(packages: Iterable[str] | None = None) -> None:
    """Raises Misconfigured if a package that a part needs is not installed."""
    missing = [name for name in (needed_packages() if packages is None else packages) if not is_installed(name)]
    if missing:
        extras = "s3" if set(missing) <= {*packages_of("s3")} else "all"
        raise Misconfigured(f"Not installed: {', '.join(missing)}. Run pip install 'lookalike[{extras}]'.")


def need_given_servers(settings: Settings) -> None:
    """Raises Unreachable or Misconfigured if a broker or store that is set cannot be used."""
    if settings.redis_url is not None:
        require_broker(settings.redis_url.get_secret_value(), patience_s=PATIENCE_S)
    if settings.qdrant_url is not None:
        key = None if settings.qdrant_api_key is None else settings.qdrant_api_key.get_secret_value()
        require_store(settings.qdrant_url, key, patience_s=PATIENCE_S, ca=settings.qdrant_ca)


@contextmanager
def only_up_on(folder: DataFolder) -> Iterator[None]:
    """Holds the lock of the data folder until the block ends. Raises Misconfigured if another `up` holds it."""
    try:
        with hold_lock(folder.lock):
            yield
    except LockHeld:
        raise Misconfigured(
            f"lookalike already runs on {folder.root} (pid {lock_holder(folder.lock)}): "
            "stop it with `lookalike down`, or name another folder with --data."
        ) from None


def wait_for_leftovers(folder: DataFolder, wait: Callable[[float], bool]) -> bool:
    """Waits until nothing of an earlier `up` is left; False if `wait` reports a stop request.

    After kill -9 of an `up` its parts take a moment to end, and two brokers must never share a folder.
    Raises Misconfigured if they do not end.
    """
    until = time.monotonic() + LEFTOVERS_S
    while not is_unlocked(folder.parts_lock) or is_listening(folder):
        if wait(POLL_S):
            return False
        if time.monotonic() > until:
            raise Misconfigured(
                f"Parts of an earlier `lookalike up` still run on {folder.root}: end them; "
                f"{folder.logs / 'supervisor.log'} has their pids."
            )
    return True
