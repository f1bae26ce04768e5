"""`up` with the parts that ship, for tests that need all of them."""

import sys
import urllib.request
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path

from lookalike.client import Client
from lookalike.errors import LookalikeError
from lookalike.system.discovery import RunningSystem
from tests.local.conftest import STARTS_WITHIN_S, Machine
from tests.support.lean_system import lean_system
from tests.support.waiting import wait_until

PICTURES = 5
AUTH = "ann:not:for $everybody"


def real_up(machine: Machine, model: Path, *more: str) -> list[str]:
    lookalike = [sys.executable, "-c", "from lookalike.cli import main; main()"]
    where = ["--data", str(machine.folder.root), "--model", str(model)]
    return [*lookalike, "up", str(machine.library), *where, *more]


def start_lean(machine: Machine, model: Path, *more: str) -> RunningSystem:
    """Without the pages and the worker for duplicates."""
    lean = lean_system(machine.folder.root, machine.library, *more)
    return machine.start(lean, LOOKALIKE_MODEL=str(model), LOOKALIKE_INGEST_PROCESSES="1")


def start(machine: Machine, model: Path) -> None:
    """Until Flower answers, which may take longer than to find that nothing is left to do."""
    machine.start(real_up(machine, model), LOOKALIKE_FLOWER_AUTH=AUTH, LOOKALIKE_INGEST_PROCESSES="1")

    def is_shown() -> bool:
        with suppress(OSError):
            ask_flower(machine, "/healthcheck", None).close()
            return True
        return False

    wait_until(is_shown, 2 * STARTS_WITHIN_S)


def wait_indexed(machine: Machine, count: int) -> Client:
    client = Client(data=machine.folder.root)
    seen = []

    def is_done() -> bool:
        with suppress(LookalikeError):
            seen.append(client.status())
        return bool(seen and seen[-1].is_done and seen[-1].indexed == count)

    wait_until(is_done, 2 * STARTS_WITHIN_S, told=lambda: seen[-1:])
    return client


def ask_flower(machine: Machine, page: str, user_and_password: str | None) -> HTTPResponse:
    assert machine.running is not None
    request = urllib.request.Request(machine.running.flower_url + page)  # noqa: S310
    if user_and_password is not None:
        request.add_header("Authorization", "Basic " + b64encode(user_and_password.encode()).decode())
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=10)  # noqa: S310
    return answer
