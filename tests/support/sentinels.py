"""A Valkey, its replica and three sentinels, all real, on free loopback ports."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from tests.support.valkey import answers, free_port, valkey_binary
from tests.support.waiting import wait_until

NAME = "photos"
PASSWORD = "p@ss:w/rd"
SENTINELS = 3
QUORUM = 2
DOWN_AFTER_MS = 1500
STARTS_WITHIN_S = 20.0


@dataclass(frozen=True)
class Watched:
    """The processes, and the address under which a program finds whichever server is in charge."""

    url: str
    primary: subprocess.Popen[bytes]
    replica: subprocess.Popen[bytes]
    replica_port: int
    sentinel_ports: list[int]

    def replica_redis(self) -> Redis:
        return Redis(port=self.replica_port, password=PASSWORD)

    def freeze_replica(self) -> None:
        """From now on it hears nothing of what the primary is told."""
        os.kill(self.replica.pid, signal.SIGSTOP)

    def fail_over(self) -> None:
        """Kills the primary, and returns when every sentinel names the replica, which goes on in its place."""
        self.primary.kill()
        self.primary.wait()
        os.kill(self.replica.pid, signal.SIGCONT)
        with self.replica_redis() as redis:
            wait_until(lambda: redis.info("replication")["role"] == "master", STARTS_WITHIN_S)
        wait_until(lambda: all(_primary(port) == self.replica_port for port in self.sentinel_ports), STARTS_WITHIN_S)


@contextmanager
def watched_broker(folder: Path) -> Iterator[Watched]:
    """Runs them all while the block runs."""
    primary_port, replica_port, *ports = [free_port() for _ in range(2 + SENTINELS)]
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, port: int, lines: list[str], *arguments: str) -> subprocess.Popen[bytes]:
        file = folder / f"{name}.conf"
        own = folder / name
        own.mkdir()
        file.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {own}", *lines, ""]))
        process = subprocess.Popen([valkey_binary(), file, *arguments], stdout=subprocess.DEVNULL)
        started.append(process)
        return process

    server = [f'requirepass "{PASSWORD}"', f'primaryauth "{PASSWORD}"', "appendonly yes"]
    sentinel = [
        f"sentinel monitor {NAME} 127.0.0.1 {primary_port} {QUORUM}",
        f'sentinel auth-pass {NAME} "{PASSWORD}"',
        f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
        f"sentinel failover-timeout {NAME} 5000",
    ]
    try:
        primary = start("primary", primary_port, server)
        replica = start("replica", replica_port, [*server, f"replicaof 127.0.0.1 {primary_port}"])
        for number, port in enumerate(ports):
            start(f"sentinel-{number}", port, sentinel, "--sentinel")
        wait_until(lambda: all(_knows_the_others(port) for port in ports), STARTS_WITHIN_S)
        assert not answers(f"redis://127.0.0.1:{primary_port}"), "it lets in whoever comes"
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        url = f"sentinel://:{quote(PASSWORD, safe='')}@{hosts}/0?master={NAME}"
        yield Watched(url, primary, replica, replica_port, ports)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _knows_the_others(port: int) -> bool:
    state = _state(port)
    return (state.get("num-slaves"), state.get("num-other-sentinels")) == (1, SENTINELS - 1)


def _primary(port: int) -> int | None:
    """The port of the server that this sentinel has clients use; None while it holds it for dead."""
    state = _state(port)
    return None if state.get("is_sdown") or state.get("is_odown") else state.get("port")


def _state(port: int) -> dict[str, Any]:
    """What this sentinel knows of the server in charge; empty if it does not answer."""
    try:
        with Redis(port=port) as redis:
            state: dict[str, Any] = redis.sentinel_master(NAME)
            return state
    except (RedisError, IndexError):
        return {}
