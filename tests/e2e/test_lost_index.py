"""A running system whose store loses the index: all is indexed again by itself, and `status` says so."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import DeleteAlias, DeleteAliasOperation

from lookalike import Client, LookalikeError
from lookalike.status import Status
from tests.local.conftest import Machine, wait_until
from tests.running.pictures import draw
from tests.running.stores import store_of
from tests.running.tiny_model import tiny_model

PICTURES = 30
WITHIN_S = 60.0
SETTINGS = {"LOOKALIKE_WORKERS": "1"}
LOST = "The store had lost the index"


class System:
    """What `up` runs on a machine, and a client of it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.client = Client(data=machine.folder.root)
        self.seen: list[Status] = []

    def looks(self) -> Status | None:
        with suppress(LookalikeError):
            self.seen.append(self.client.status())
            return self.seen[-1]
        return None

    def is_whole(self, embedded: int) -> bool:
        """Whether all is indexed, by so many inferences since the index was made, and nobody warns of anything."""
        status = self.looks()
        return (
            status is not None
            and status.is_done
            and (status.indexed, status.embedded_total, status.warning) == (PICTURES, embedded, None)
        )


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    machine = Machine(tmp_path_factory.mktemp("lost"))
    for seed in range(PICTURES):
        draw(machine.library / f"{seed}.png", seed)
    tiny_model(machine.tmp_path / "tiny.onnx")
    where = ["--data", str(machine.folder.root), "--model", str(machine.tmp_path / "tiny.onnx")]
    machine.start([*LOOKALIKE, "up", str(machine.library), *where], **SETTINGS)
    system = System(machine)
    wait_until(lambda: system.is_whole(PICTURES), WITHIN_S)
    yield system
    machine.clear()


@pytest.fixture
def store(system: System) -> Iterator[QdrantClient]:
    assert system.machine.running is not None
    store = store_of(system.machine.running)
    yield store
    store.close()
