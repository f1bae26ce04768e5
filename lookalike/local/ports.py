"""Free ports. A port is ours from the moment it is chosen, so that two starting `up`s never share one."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from lookalike.errors import Misconfigured
from lookalike.file_locks import take

# As far as one looks: beyond this many taken ports something else is wrong.
STEPS = 200
LAST_PORT = 65535
LOOPBACK = "127.0.0.1"


class Choose(Protocol):
    """From a port to the next free one on an address of this machine."""

    def __call__(self, first: int, host: str = LOOPBACK) -> int:
        """Raises Misconfigured if there is none."""


@contextmanager
def reserved_ports(runtime: Path) -> Iterator[Choose]:
    """Gives a function from a port to the next free one, which stays reserved until the block ends.

    A lock file per port says "chosen, not yet listening" to other `up`s of this user.
    """
    with ExitStack() as held:

        def choose(first: int, host: str = LOOPBACK) -> int:
            for port in range(first, min(first + STEPS, LAST_PORT + 1)):
                with ExitStack() as tried:
                    lock = tried.enter_context((runtime / f"port-{port}").open("w"))
                    if take(lock) and _is_free(host, port):
                        held.enter_context(tried.pop_all())
                        return port
            raise Misconfigured(
                f"No port from {first} up is free on {host}: end what listens there, or name another address."
            )

        yield choose


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            # As servers do: a port on which only closed connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True
