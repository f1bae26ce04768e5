"""What must hold before anything is started: extras, servers that are given, and nobody else on the data folder."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from lookalike.data_folder import DataFolder
from lookalike.errors import Misconfigured
from lookalike.file_locks import Held, hold, holder, is_free
from lookalike.local.reachable import require_broker, require_store
from lookalike.local.supervisor import answers
from lookalike.settings import Settings

# Of a broker or store that somebody else runs, and may be starting.
PATIENCE_S = 4.0
LEFTOVERS_S = 15.0
LOOK_AGAIN_S = 0.1
NEEDED = ("supervisor", "flower", "watchdog", "onnxruntime", "qdrant_client", "qdrant_edge", "uvicorn")


def need_locks() -> None:
    """Raises Misconfigured on a system that has no locks on files, nor sockets and signals as the parts need them."""
    if find_spec("fcntl") is None:
        raise Misconfigured(
            "`lookalike up` runs on Linux and macOS: on Windows start it in WSL2, or the containers with "
            "`docker compose up`; a client works here with REDIS_URL."
        )


def need_extras(needed: tuple[str, ...] = NEEDED) -> None:
    """Raises Misconfigured if a part could not even be started."""
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise Misconfigured(f"Not installed: {', '.join(missing)}. Run pip install 'lookalike[all]'.")


def need_given_servers(settings: Settings) -> None:
    """Raises Unreachable or Misconfigured if a broker or store that is set cannot be used."""
    if settings.redis_url is not None:
        require_broker(settings.redis_url.get_secret_value(), patience_s=PATIENCE_S)
    if settings.qdrant_url is not None:
        key = None if settings.qdrant_api_key is None else settings.qdrant_api_key.get_secret_value()
        require_store(settings.qdrant_url, key, patience_s=PATIENCE_S)


@contextmanager
def alone(folder: DataFolder) -> Iterator[None]:
    """Nobody else may start on this data folder until the block ends. Raises Misconfigured if somebody did."""
    try:
        with hold(folder.lock):
            yield
    except Held:
        raise Misconfigured(
            f"lookalike already runs on {folder.root} (pid {holder(folder.lock)}): "
            "stop it with `lookalike down`, or name another folder with --data."
        ) from None


def wait_for_leftovers(folder: DataFolder, wait: Callable[[float], bool]) -> bool:
    """Waits until nothing of an earlier `up` is left; False if `wait` said that somebody asks to stop.

    After kill -9 of an `up` its parts take a moment to end, and two brokers must never share a folder.
    Raises Misconfigured if they do not end.
    """
    until = time.monotonic() + LEFTOVERS_S
    while not is_free(folder.parts_lock) or answers(folder):
        if wait(LOOK_AGAIN_S):
            return False
        if time.monotonic() > until:
            raise Misconfigured(
                f"Parts of an earlier `lookalike up` still run on {folder.root}: end them; "
                f"{folder.logs / 'supervisor.log'} has their pids."
            )
    return True
