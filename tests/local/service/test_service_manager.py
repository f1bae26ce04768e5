"""A service manager hears that `up` is ready, that it lives, how it is and that it stops; its parts hear of none."""

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from lookalike.local.service.manager import VARIABLES, ServiceManager
from tests.local.conftest import STARTS_WITHIN_S, Machine
from tests.support.commands import typed
from tests.support.waiting import wait_until


class Listener:
    """The socket of a service manager, and all that came."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def has_heard(self, message: str, times: int = 1) -> bool:
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return sum(each.startswith(message) for each in self.heard) >= times


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    # A socket's name has to be short.
    address = f"\0lookalike-test-{os.getpid()}-{tmp_path.name}"
    listener = Listener(address)
    yield listener
    listener.socket.close()


def address_of(listener: Listener) -> str:
    return f"@{listener.socket.getsockname()[1:].decode()}"


def test_up_tells_when_it_is_ready_that_it_lives_and_that_it_stops(machine: Machine, listener: Listener) -> None:
    machine.start(NOTIFY_SOCKET=address_of(listener), WATCHDOG_USEC="500000")

    wait_until(lambda: listener.has_heard("READY=1") and listener.has_heard("STATUS=discovered 3"), STARTS_WITHIN_S)
    wait_until(lambda: listener.has_heard("WATCHDOG=1", 3), STARTS_WITHIN_S)
    parts = [pid for pid in machine.processes() if pid != (machine.process and machine.process.pid)]
    inherited = [set(psutil.Process(pid).environ()) & set(VARIABLES) for pid in parts if psutil.pid_exists(pid)]
    assert inherited
    assert not any(inherited)

    machine.send(signal.SIGTERM)
    machine.ended()

    wait_until(lambda: listener.has_heard("STOPPING=1"))
    assert listener.heard.index("READY=1") < listener.heard.index("STOPPING=1")
    assert listener.heard.count("READY=1") == 1


def test_the_programs_of_a_system_tell_whether_it_lives(machine: Machine) -> None:
    machine.start(machine.small("--search", "dying"))

    asked = partial(typed, "health", cwd=machine.tmp_path, environment={"LOOKALIKE_DATA": str(machine.folder.root)})

    wait_until(lambda: asked("--live").returncode == 1, STARTS_WITHIN_S)
    assert "search does not run: see `lookalike logs search`." in asked("--live").stdout
    assert asked("--live", "--ready").stderr.startswith("--live and --ready are two questions")


def test_nothing_is_told_where_nothing_listens(listener: Listener) -> None:
    ServiceManager({}).ready()
    ServiceManager({"NOTIFY_SOCKET": "/nowhere/at/all"}).ready()
    ServiceManager({"NOTIFY_SOCKET": address_of(listener), "WATCHDOG_USEC": "10", "WATCHDOG_PID": "1"}).feeding(
        lambda _: True
    )(0)

    assert not listener.has_heard("WATCHDOG")


def test_the_watchdog_is_fed_twice_in_its_time_and_the_status_told_when_it_changed(listener: Listener) -> None:
    # Each call asks for the time once: every ten seconds.
    times_s = iter([0, 0, 10, 10, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60])
    environment = {"NOTIFY_SOCKET": address_of(listener), "WATCHDOG_USEC": "60000000"}
    manager = ServiceManager(environment, lambda: next(times_s))
    wait = manager.feeding(lambda _: False)
    for _ in range(7):
        wait(0)
        manager.status("indexed\n3")

    assert listener.has_heard("WATCHDOG=1", 3)
    assert listener.heard.count("WATCHDOG=1") == 3
    assert [each for each in listener.heard if each.startswith("STATUS")] == ["STATUS=indexed 3"]
