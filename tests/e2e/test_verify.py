"""`lookalike verify` on a running system: it agrees, and finds each thing that somebody breaks in the store."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import PointStruct

from lookalike import Client
from tests.local.conftest import Machine
from tests.support.lean_system import lean_system
from tests.support.pictures import draw
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until
from worker.index.payload import point_id

PICTURES = 12
PATIENCE_S = 60.0
SETTINGS = {"LOOKALIKE_INGEST_PROCESSES": "1", "LOOKALIKE_IGNORE": "raw"}
NONE = {"lost": 0, "ghosts": 0, "stale": 0, "rejected": 1, "pending": 0}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("verify"))
    for seed in range(PICTURES):
        draw(machine.library / f"{seed}.png", seed)
    draw(machine.library / "raw" / "ignored.png", PICTURES)
    (machine.library / "broken.jpg").write_bytes(b"this is no picture")
    tiny_model(machine.tmp_path / "tiny.onnx", copies=True)
    up(machine)
    with Client(data=machine.folder.root) as client:
        wait_until(lambda: client.status().is_done and client.status().indexed == PICTURES, PATIENCE_S)
    yield machine
    machine.clear()


@pytest.fixture
def store(machine: Machine) -> Iterator[QdrantClient]:
    assert machine.running is not None
    store = store_of(machine.running)
    yield store
    store.close()


def lookalike(*words: str) -> list[str]:
    return [sys.executable, "-c", "from lookalike.cli import main; main()", *words]


def up(machine: Machine, **settings: str) -> None:
    """Starts the system."""
    model = str(machine.tmp_path / "tiny.onnx")
    machine.start(lean_system(machine.folder.root, machine.library), LOOKALIKE_MODEL=model, **SETTINGS, **settings)


def verify(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    return run(machine, "verify", *words)


def run(machine: Machine, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = lookalike(name, "--data", str(machine.folder.root), *words)
    return subprocess.run(
        command,
        env=machine.environment(),
        cwd=machine.tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(machine: Machine, *words: str) -> tuple[int, Any]:
    done = verify(machine, "--json", *words)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_a_system_at_rest_agrees_with_its_library(machine: Machine) -> None:
    assert told(machine) == (0, NONE)
    assert told(machine, "--deep", "5") == (0, {**NONE, "checked": 5, "wrong": 0})
    assert "Library and index agree." in verify(machine).stdout


def test_what_somebody_broke_in_the_store_is_found(machine: Machine, store: QdrantClient) -> None:
    assert machine.running is not None
    name = machine.running.name
    (old,) = store.retrieve(name, [point_id("3.png")], with_vectors=True)
    store.delete(name, points_selector=[point_id("1.png")], wait=True)
    store.set_payload(name, {"mtime_ns": 5}, points=[point_id("2.png")], wait=True)
    ghost = {**(old.payload or {}), "path": "ghost.png"}
    store.upsert(name, [PointStruct(id=point_id("ghost.png"), vector=old.vector, payload=ghost)], wait=True)  # type: ignore[arg-type]
    (other,) = store.retrieve(name, [point_id("4.png")], with_vectors=True)
    store.upsert(name, [PointStruct(id=old.id, vector=other.vector, payload=old.payload)], wait=True)  # type: ignore[arg-type]
    (fifth,) = store.retrieve(name, [point_id("5.png")], with_vectors=True)
    mixed = {"image": fifth.vector["image"], "copy": other.vector["copy"]}  # type: ignore[index,call-overload]
    store.upsert(name, [PointStruct(id=fifth.id, vector=mixed, payload=fifth.payload)], wait=True)

    code, numbers = told(machine, "--deep", "100")

    assert code == 1
    assert numbers == {**NONE, "lost": 1, "ghosts": 1, "stale": 1, "checked": PICTURES - 2, "wrong": 2}
    shown = verify(machine, "--deep", "100")
    assert shown.returncode == 1
    assert all(path in shown.stdout for path in ("1.png", "2.png", "3.png", "5.png", "ghost.png"))


def test_what_left_while_nobody_watched_is_removed_when_somebody_allows_it(machine: Machine) -> None:
    machine.clear()
    for seed in range(3, PICTURES):
        (machine.library / f"{seed}.png").unlink()
    up(machine, LOOKALIKE_MAX_DELETED_FILES="5")
    with Client(data=machine.folder.root) as client:
        wait_until(lambda: client.status().is_done and client.status().warning, PATIENCE_S)

        assert "files in the index are not in the library any more" in str(client.status().warning)
        code, numbers = told(machine)
        assert (code, numbers["lost"], numbers["stale"]) == (1, 0, 0)
        # The test before left one as well.
        assert numbers["ghosts"] == PICTURES - 3 + 1

        assert run(machine, "sync", "--allow-removals").returncode == 0
        wait_until(lambda: client.status().indexed == 3 and client.status().is_done, PATIENCE_S)
        wait_until(lambda: client.status().warning is None, PATIENCE_S)
    assert told(machine, "--deep", "3") == (0, {**NONE, "checked": 3, "wrong": 0})


def test_waiting_for_a_file_that_never_rests_ends_in_time_and_says_what_is_left(machine: Machine) -> None:
    webcam, stop = machine.library / "webcam.png", threading.Event()

    def write() -> None:
        while not stop.wait(0.05):
            draw(webcam, 99)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = run(machine, "status", "--wait", "--timeout", "2")
    finally:
        stop.set()
        writer.join()
        webcam.unlink(missing_ok=True)

    assert done.returncode == 1
    assert re.search(r"Not done after 2 s: .*1 files are settling", done.stderr)
    assert run(machine, "status", "--wait", "--timeout", "60").returncode == 0


def test_what_is_left_out_is_listed_with_its_rule(machine: Machine) -> None:
    done = run(machine, "ignored", "--json")

    assert json.loads(done.stdout) == [{"path": "raw/", "rule": "LOOKALIKE_IGNORE: raw"}]


def test_without_the_library_nothing_can_be_compared(machine: Machine, tmp_path: Path) -> None:
    away = machine.library.rename(tmp_path / "elsewhere")
    done = verify(machine)
    away.rename(machine.library)

    assert done.returncode == 1
    assert "LOOKALIKE_LIBRARY" in done.stderr
