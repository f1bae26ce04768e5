"""Jobs for duplicates with the real store, broker and workers: found, kept, cancelled, killed and resumed."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from lookalike import Cancelled, Refused
from lookalike.cli import app
from lookalike.client.duplicates import DuplicatesJob
from lookalike.duplicates.groups import Group
from lookalike.errors import NoSuchJob
from tests.support.pictures import encoded
from tests.support.waiting import wait_until
from tests.support.workers import WorkerProcess, worker_process
from tests.worker.duplicates.test_verdict import scene, wall
from tests.worker.tasks.conftest import System

FOLDER = "twice"
QUEUE = "lookalike:duplicates"
SCENES = 12
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def library(system: System) -> list[str]:
    """Scenes, of some a copy: as they are, in other bytes, half as large, mirrored in part; and blank walls."""
    folder = system.root / FOLDER
    (folder / "sub").mkdir(parents=True)
    for seed in range(SCENES):
        scene(seed).save(folder / f"{seed:02}.png")
    shutil.copy(folder / "00.png", folder / "sub" / "exact.png")
    scene(1).save(folder / "sub" / "same.bmp")
    scene(2).resize((160, 120)).save(folder / "sub" / "half.jpg", quality=75)
    scene(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "sub" / "mirror.jpg", quality=80)
    scene(4).save(folder / "04-edited.jpg", quality=90)
    for seed in range(4):
        (folder / f"wall{seed}.png").write_bytes(encoded(wall(seed)))
    names = sorted(str(path.relative_to(system.root)) for path in folder.rglob("*.*"))
    assert system.client.sync(names).result(timeout_s=120).rejected == 0
    return names


@pytest.fixture
def environment(system: System, tmp_path: Path) -> dict[str, str]:
    return system.environment | {"LOOKALIKE_DATA": str(tmp_path), "LOOKALIKE_ALIVE_FILE": str(tmp_path / "alive")}


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[WorkerProcess]:
    with worker_process(tmp_path / "duplicates.log", environment, queues=QUEUE, name="duplicates") as running:
        yield running


def found(job: DuplicatesJob) -> list[Group]:
    job.result(timeout_s=WITHIN_S)
    return list(job.groups())


@pytest.mark.usefixtures("library", "worker")
def test_each_label_is_found_and_nothing_else(system: System) -> None:
    groups = found(system.client.duplicates(FOLDER, labels=["exact", "same", "near", "companion"]))

    assert sorted((group.label, sorted(group.paths)) for group in groups) == [
        ("companion", ["twice/04-edited.jpg", "twice/04.png"]),
        ("exact", ["twice/00.png", "twice/sub/exact.png"]),
        ("near", ["twice/02.png", "twice/sub/half.jpg"]),
        ("near", ["twice/03.png", "twice/sub/mirror.jpg"]),
        ("same", ["twice/01.png", "twice/sub/same.bmp"]),
    ]


@pytest.mark.usefixtures("library", "worker")
def test_what_is_kept_is_not_compared_again(system: System) -> None:
    (system.root / "since").mkdir()
    scene(77).save(system.root / "since" / "one.png")
    system.client.sync(["since/one.png"]).result(timeout_s=20)
    first = system.client.duplicates()
    compared = first.result(timeout_s=WITHIN_S).compared
    again = system.client.duplicates()
    assert (compared > SCENES, again.result(timeout_s=WITHIN_S).compared) == (True, 0)
    assert found(again) == found(first)
    assert not list(system.client.duplicates(since_last=True).groups())

    scene(77).save(system.root / "since" / "two.jpg", quality=80)
    system.client.sync(["since/two.jpg"]).result(timeout_s=20)
    newer = system.client.duplicates(since_last=True)

    assert newer.result(timeout_s=WITHIN_S).compared == 1
    assert [sorted(group.paths) for group in newer.groups()] == [["since/one.png", "since/two.jpg"]]


@pytest.mark.usefixtures("library", "worker")
def test_a_job_that_is_under_way_can_be_cancelled_and_another_goes_on(system: System) -> None:
    job = system.client.duplicates()
    wait_until(lambda: job.status().state == "started", every_s=0.001)

    assert job.cancel()
    assert job.status().state == "cancelled"
    with pytest.raises(Cancelled):
        job.result(timeout_s=WITHIN_S)
    with pytest.raises(NoSuchJob):
        job.page()

    assert found(system.client.duplicates(FOLDER))


@pytest.mark.usefixtures("library")
def test_a_worker_that_is_killed_is_resumed_by_another_with_the_same_groups(
    system: System, environment: dict[str, str], tmp_path: Path
) -> None:
    job = system.client.duplicates(FOLDER)
    with worker_process(tmp_path / "killed.log", environment, queues=QUEUE, name="duplicates") as killed:
        wait_until(lambda: (job.status().progress or 0) > 0, every_s=0.001)
        os.kill(killed.process.pid, signal.SIGKILL)
    with worker_process(tmp_path / "next.log", environment, queues=QUEUE, name="duplicates") as following:
        groups = found(job)
        again = found(system.client.duplicates(FOLDER))
    (tmp_path / "duplicates.sqlite").unlink()
    with worker_process(tmp_path / "a.log", environment, queues=QUEUE, name="a", processes=2):
        anew = found(system.client.duplicates(FOLDER))

    assert "succeeded" in following.said()
    assert groups == again == anew
    assert len(groups) == 4


@pytest.mark.usefixtures("library", "worker")
def test_the_command_prints_groups_as_json(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**system.environment, "LOOKALIKE_LIBRARY": str(system.root)}.items():
        if name.startswith(("LOOKALIKE_", "REDIS_", "QDRANT_")):
            monkeypatch.setenv(name, value)

    done = CliRunner().invoke(app, ["duplicates", FOLDER, "--label", "near", "--json"])
    shown = CliRunner().invoke(app, ["duplicates", FOLDER, "--limit", "1"])

    groups = json.loads(done.stdout)
    assert {tuple(sorted(group)) for group in groups} == {("centre", "keep", "label", "move", "pairs", "paths", "why")}
    assert all(0 < pair["similarity"] <= 1 for group in groups for pair in group["pairs"])
    assert "4 groups (1 exact, 1 same, 2 near)" in shown.output


def test_what_is_no_label_or_no_folder_of_the_library_is_refused(system: System) -> None:
    with pytest.raises(Refused, match="at least one label"):
        system.client.duplicates(labels=[])
    with pytest.raises(Refused):
        system.client.duplicates("/elsewhere")
