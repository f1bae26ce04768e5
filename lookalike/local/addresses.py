"""Where the servers of one machine listen: given URLs, and free ports for the servers that `up` starts.

A port is reserved from the moment it is chosen, so that two `up`s that start at once never share one.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.local.embedded import broker_url_at, embedded_password, store_url_at, write_valkey_conf
from lookalike.local.processes import Ports
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.file_locks import try_lock

# The well-known ports of Redis and Qdrant; a later one is taken if they are in use.
FIRST_BROKER_PORT = 6379
FIRST_STORE_PORT = 6333
# More taken ports in a row than this have another cause than other programs.
MAX_TRIES = 200
LAST_PORT = 65535
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Addresses:
    """URLs with their passwords, and the ports of the servers that are started here."""

    redis_url: str
    qdrant_url: str
    flower_url: str
    web_url: str
    ports: Ports


class ChoosePort(Protocol):
    """From a port to the next free one on an address of this machine."""

    def __call__(self, first: int, host: str = LOOPBACK) -> int:
        """Raises Misconfigured if there is none."""


def choose_addresses(settings: Settings, folder: DataFolder, choose_port: ChoosePort) -> Addresses:
    """Takes the servers that are set and chooses ports for the rest."""
    broker, redis_url = None, settings.redis_url
    if redis_url is None:
        broker = choose_port(FIRST_BROKER_PORT)
        redis_url = SecretStr(broker_url_at(folder, broker))
        write_valkey_conf(folder, broker)
    store, qdrant_url = None, settings.qdrant_url
    if qdrant_url is None:
        store = choose_port(FIRST_STORE_PORT)
        qdrant_url = store_url_at(store)
    flower = choose_port(settings.flower_port, settings.flower_host)
    web = choose_port(settings.web_port, settings.web_host)
    return Addresses(
        redis_url=redis_url.get_secret_value(),
        qdrant_url=qdrant_url,
        flower_url=f"http://{_host_to_visit(settings.flower_host)}:{flower}",
        web_url=f"http://{_host_to_visit(settings.web_host)}:{web}",
        ports=Ports(broker=broker, store=store, flower=flower, web=web),
    )


def resolve_settings(
    settings: Settings, folder: DataFolder, addresses: Addresses, library: Path | BucketAddress, library_id: str
) -> Settings:
    """The settings as every process gets them: nothing is left to discover or depends on the working folder."""
    ours = {} if addresses.ports.store is None else {"qdrant_api_key": SecretStr(embedded_password(folder))}
    return settings.model_copy(
        update={
            "data": folder.root,
            "library": library,
            "library_id": library_id,
            "redis_url": SecretStr(addresses.redis_url),
            "qdrant_url": addresses.qdrant_url,
            "flower_url": addresses.flower_url,
            "web_url": addresses.web_url,
            "model": absolute_model(settings.model),
            **ours,
        }
    )


@contextmanager
def reserved_ports(runtime: Path) -> Iterator[ChoosePort]:
    """Gives a function from a port to the next free one, which stays reserved until the block ends.

    A lock file per port tells other `up`s of this user that it is chosen although nothing listens yet.
    """
    with ExitStack() as reserved:

        def choose_port(first: int, host: str = LOOPBACK) -> int:
            for port in range(first, min(first + MAX_TRIES, LAST_PORT + 1)):
                with ExitStack() as tried:
                    lock = tried.enter_context((runtime / f"port-{port}").open("w"))
                    if try_lock(lock) and _is_port_free(host, port):
                        reserved.enter_context(tried.pop_all())
                        return port
            raise Misconfigured(
                f"No port from {first} up is free on {host}: end what listens there, or name another address."
            )

        yield choose_port


def _host_to_visit(host: str) -> str:
    """The host for a browser on this machine; a server that listens on all addresses is reached on loopback."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def absolute_model(model: str) -> str:
    """A model file by its absolute path; the name of a model that ships stays as it is."""
    path = Path(model).expanduser()
    return str(path.absolute()) if path.suffix == ".onnx" or path.parent != Path() else model


def _is_port_free(host: str, port: int) -> bool:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            # As servers do: a port on which only closed connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True
