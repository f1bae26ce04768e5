"""Two transports with the same in their index: the real one over Valkey and Celery, and the one in memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from lookalike import Client
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport
from tests.support.pictures import encoded, picture
from tests.worker.tasks.conftest import System, stopped

NAMES = [f"kept/{seed}.png" for seed in range(300, 306)]


@dataclass
class Side:
    """A system with six pictures and one rejected file; `client` makes one as another process would."""

    client: Callable[..., Client]
    held: Callable[[], AbstractContextManager[None]]


def celery_side(system: System) -> Side:
    (system.root / "kept").mkdir(exist_ok=True)
    for seed, name in enumerate(NAMES, 300):
        system.path(seed, name)
    (system.root / "kept" / "bad.png").write_bytes(b"nothing")
    system.client.sync([*NAMES, "kept/bad.png"]).result(timeout_s=20)
    return Side(lambda **own: Client(system.settings.model_copy(update=own)), lambda: stopped(system))


def memory_side() -> Side:
    transport = InMemoryTransport()
    for seed, name in enumerate(NAMES, 300):
        transport.add(name, encoded(picture(seed)), format="PNG", width_px=64, height_px=48)
    transport.reject("kept/bad.png", "it is not an image of a known format")
    return Side(lambda **own: Client(read_settings(**own), transport=transport), transport.held)


def paths(client: Client, *asked: Any, **named: Any) -> list[str]:
    return [found.path for found in client.search(*asked, **named).result(timeout_s=20)]
