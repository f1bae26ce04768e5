"""Ports of this machine: a free one is chosen and reserved, and one that another program took is noticed.

A reservation tells other `up`s that a port is chosen although nothing listens yet. On Linux it is a name of the kernel
(an abstract Unix socket): it is one for all users and folders of this network, and goes with its process. Elsewhere it
is a lock on a file, which keeps the systems of one user apart.
"""

import errno
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lookalike.errors import Misconfigured
from lookalike.system.file_locks import try_lock

# More taken ports in a row than this have another cause than other programs.
MAX_TRIES = 200
LAST_PORT = 65535
LOOPBACK = "127.0.0.1"
HAS_NAMES = sys.platform == "linux"


class PortTaken(Misconfigured):
    """A program that knows nothing of reservations took a port between the choice and the start of our part."""

    def __init__(self, part: str, why: str = "") -> None:
        super().__init__(
            f"A server of another program took the port of the {part} in this moment{f' ({why})' if why else ''}. "
            "Start again: another port will be chosen."
        )
        self.part = part


class ChoosePort(Protocol):
    """From a port to the next free one on an address of this machine."""

    def __call__(self, first: int, host: str = LOOPBACK) -> int:
        """Raises Misconfigured if there is none."""


@dataclass(frozen=True)
class Endpoint:
    """Where a part listens."""

    host: str
    port: int


@contextmanager
def reserved_ports(runtime: Path) -> Iterator[ChoosePort]:
    """Gives a function from a port to the next free one, which stays reserved until the block ends.

    `runtime` is the folder for the locks, where the kernel has no names.
    """
    with ExitStack() as reserved:

        def choose_port(first: int, host: str = LOOPBACK) -> int:
            for port in range(first, min(first + MAX_TRIES, LAST_PORT + 1)):
                with ExitStack() as tried:
                    if _reserve(port, runtime, tried) and is_port_free(host, port):
                        reserved.enter_context(tried.pop_all())
                        return port
            raise Misconfigured(
                f"No port from {first} up is free on {host}: end what listens there, or name another address."
            )

        yield choose_port


def is_port_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            # As servers do: a port on which only closed connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True


def taken_port(
    endpoints: Mapping[str, Endpoint],
    ended: Callable[[], Mapping[str, int]],
    is_free: Callable[[str, int], bool] = is_port_free,
) -> str | None:
    """The part that has ended while another program listens on its port; None if there is none.

    `ended` gives the last start of each part that has ended. It is asked again after the look at the port: a part that
    was started meanwhile may be what listens there.
    """
    first = ended()
    busy = [part for part, at in endpoints.items() if part in first and not is_free(at.host, at.port)]
    if not busy:
        return None
    again = ended()
    return next((part for part in busy if again.get(part) == first[part]), None)


def _reserve(port: int, runtime: Path, until: ExitStack) -> bool:
    """Whether the port is reserved for us now; it is given up at the end of `until`."""
    if HAS_NAMES:
        name = until.enter_context(socket.socket(socket.AF_UNIX))
        try:
            name.bind(f"\0lookalike-port-{port}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
        else:
            return True
    # Also where a sandbox allows no such names.
    return try_lock(until.enter_context((runtime / f"port-{port}").open("w")))
