"""What a person reads in Flower: what was asked, what came of it, how far it is, why it failed, and who is there."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike import Client, Refused
from lookalike.broker.app import celery_app
from lookalike.broker.generations import Reindex
from lookalike.broker.task_events import TaskEvents, task_id
from lookalike.local.supervision.processes import FLOWER_FORGETS_S, Ports, process_specs
from lookalike.redis_keys import DUPLICATES, REINDEX
from tests.support.sending import closed_after
from tests.support.valkey import free_port
from tests.support.waiting import wait_until
from tests.support.workers import ROOT, STOPS_WITHIN_S, WorkerProcess, worker_process
from tests.worker.tasks.conftest import DEADLY_PX, System, known
from worker.child_process import ChildProcess
from worker.duplicates.task import Teller

AUTH = ("ann", "not:for-everybody")
WITHIN_S = 60.0
FORGETS_S = 1
LONELY = "lonely"
ASKED = Reindex("resnet50", "dot", "filling", "fill", asked_at=1e9, eta_s=61.0)


@dataclass
class Flower:
    """A running Flower, and all that it wrote."""

    http: httpx.Client
    log: Path

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What its API knows of each task."""
        found: dict[str, dict[str, Any]] = self.http.get("/api/tasks").raise_for_status().json()
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """What its page shows of each task."""
        asked: dict[str, str | int] = {"draw": 1, "start": 0, "length": 1000, "search[value]": ""}
        order: dict[str, str | int] = {"order[0][column]": 0, "columns[0][data]": "name", "order[0][dir]": "asc"}
        shown = self.http.get("/tasks/datatable", params=asked | order).raise_for_status().json()
        return {row["uuid"]: row for row in shown["data"]}

    def row(self, task: str, state: str, result: str | None = None) -> dict[str, Any]:
        """That of this task, once it has this state, and this result where one is named: events come one by one."""

        def there() -> dict[str, Any] | None:
            row = self.rows().get(task)
            return row if row and row["state"] == state and result in (None, row["result"]) else None

        return wait_until(there, WITHIN_S, told=lambda: self.rows().get(task)) or {}

    def workers(self) -> dict[str, bool]:
        """The names in its table, and whether each is there."""
        found = self.http.get("/workers", params={"json": "1"}).raise_for_status().json()["data"]
        return {worker["hostname"]: worker["status"] for worker in found}

    def answers(self) -> bool:
        """Whether it answers yet, and listens for events."""
        try:
            return self.http.get("/healthcheck").is_success
        except httpx.HTTPError:
            return False


@contextmanager
def flower_of(system: System, folder: Path) -> Iterator[Flower]:
    """As `up` starts it, but for its patience with workers that are gone."""
    port = free_port()
    (spec,) = [spec for spec in process_specs(system.settings, Ports(None, None, port, 1)) if spec.name == "flower"]
    quick = f"--purge-offline-workers={FORGETS_S}"
    command = [quick if word == f"--purge-offline-workers={FLOWER_FORGETS_S}" else word for word in spec.command]
    assert quick in command
    environment = system.environment | {"LOOKALIKE_FLOWER_AUTH": ":".join(AUTH), "PYTHONPATH": str(ROOT)}
    (folder / "flower").mkdir(exist_ok=True)
    log = folder / "flower.log"
    with (
        log.open("ab") as sink,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=AUTH, trust_env=False, timeout=20) as http,
    ):
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=sink, stderr=sink)
        flower = Flower(http, log)
        try:
            wait_until(lambda: flower.answers() or process.poll() is not None, WITHIN_S)
            wait_until(flower.workers, WITHIN_S)
            yield flower
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOPS_WITHIN_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flower")


@pytest.fixture(scope="module")
def flower(system: System, folder: Path) -> Iterator[Flower]:
    with flower_of(system, folder) as flower:
        yield flower


@pytest.fixture(scope="module")
def lonely(system: System, folder: Path) -> Iterator[WorkerProcess]:
    """A search worker whose store is away."""
    environment = system.environment | {"QDRANT_URL": f"http://127.0.0.1:{free_port()}", "LOOKALIKE_NAME": LONELY}
    with worker_process(folder / "lonely.log", environment, queues=f"{LONELY}:search", name="search") as worker:
        yield worker


def test_a_sync_shows_the_library_the_paths_and_the_outcomes(system: System, flower: Flower) -> None:
    (system.root / "shown-no-image.png").write_text("text")
    job = system.client.sync([system.path(201, "shown.png"), "shown-no-image.png"])
    job.result(timeout_s=20)

    row = flower.row(job.id, "SUCCESS", "1 embedded, 1 rejected")

    assert row["args"] == "lookalike: 2 paths (shown.png, shown-no-image.png)"
    assert row["result"] == "1 embedded, 1 rejected"
    assert row["worker"] == "ingest@test"
    told = flower.tasks()[job.id]
    assert (told["args"], told["result"], told["state"]) == (row["args"], row["result"], "SUCCESS")


def test_a_search_shows_what_was_asked_and_the_nearest(system: System, flower: Flower) -> None:
    job = system.client.search(system.root / "shown.png", 1)
    assert job.result(timeout_s=20)[0].path == "shown.png"

    row = flower.row(job.id, "SUCCESS")

    assert row["args"] == "lookalike: 1 like shown.png"
    assert row["result"] == "1 neighbour, the nearest shown.png (1.000)"


def test_a_failure_shows_its_sentence(system: System, flower: Flower) -> None:
    job = system.client.search(b"no image", 1)
    with pytest.raises(Refused) as refused:
        job.result(timeout_s=20)

    row = flower.row(job.id, "FAILURE")

    assert row["args"] == "lookalike: 1 like an image that was sent"
    assert row["result"] == str(refused.value)
    assert str(refused.value) in flower.tasks()[job.id]["exception"]


def test_a_file_that_kills_its_process_is_told_by_the_batch_and_by_its_own_task(system: System, flower: Flower) -> None:
    names = [system.path(202, "beside-the-killer.png"), system.path(203, "killer.png", width=DEADLY_PX)]
    job = system.client.sync(names)
    wait_until(lambda: known(system).get("killer.png") == "rejected", WITHIN_S)

    assert flower.row(job.id, "SUCCESS")["result"].startswith("2 paths sent again one by one")

    def alone() -> list[tuple[str, str]]:
        asked = "lookalike: 1 path (killer.png)"
        return [(row["state"], row["result"]) for row in flower.rows().values() if row["args"] == asked]

    wait_until(lambda: alone() == [("SUCCESS", "1 rejected")], WITHIN_S, told=alone)


def test_a_task_that_waits_for_the_store_says_so(lonely: WorkerProcess, system: System, flower: Flower) -> None:
    assert lonely.process.poll() is None
    with Client(system.settings.model_copy(update={"name": LONELY})) as client:
        row = flower.row(client.search("shown.png", 1).id, "WAITING")

    assert "Qdrant does not answer" in row["result"]
    assert row["worker"] == "search@test"


def test_a_worker_that_dies_leaves_the_table(lonely: WorkerProcess, flower: Flower) -> None:
    wait_until(lambda: flower.workers().get("search@test"), WITHIN_S)

    lonely.kill()

    wait_until(lambda: "search@test" not in flower.workers(), WITHIN_S)
    assert flower.workers()["ingest@test"]


def test_a_job_for_duplicates_shows_how_far_it_is(system: System, flower: Flower) -> None:
    job = system.client.duplicates()
    times_s = iter([0.0, 10.0])

    def nothing() -> None:
        """Sends events as the real task does."""

    with closed_after(celery_app(system.settings)) as app:
        task = app.task(nothing, name=DUPLICATES, shared=False)
        task.push_request(id=job.id, hostname="duplicates@test")
        teller = Teller(task, ChildProcess(system.settings, "nobody"), job.id, now_s=lambda: next(times_s))
        teller.advance(0, 1000)
        teller.advance(250, 1000)

        row = flower.row(job.id, "COMPARING", "250 of 1000 images compared, about 30 s left")
        job.cancel()

    assert row["worker"] == "duplicates@test"


def test_a_reindex_shows_how_far_it_is_and_goes_on_in_the_same_row(system: System, flower: Flower) -> None:
    TaskEvents(system.settings).progress(ASKED, 120, 3000)
    row = flower.row(task_id(ASKED), "FILLING")
    assert (row["name"], row["args"]) == (REINDEX, "lookalike: to resnet50, dot")
    assert row["result"] == "120 of 3000 files, about 61 s left"
    assert row["worker"] == f"reindex@{socket.gethostname()}.lookalike"

    after_a_restart = TaskEvents(system.settings)
    after_a_restart.progress(ASKED, 3000, 3000)
    after_a_restart.succeeded(ASKED, "searches use resnet50, dot now")

    assert flower.row(task_id(ASKED), "SUCCESS")["result"] == "searches use resnet50, dot now"


def test_a_reindex_that_cannot_be_or_was_given_up_shows_that(system: System, flower: Flower) -> None:
    refused, cancelled = Reindex("a", "dot", "asked"), Reindex("b", "dot", "filling")
    events = TaskEvents(system.settings)
    events.refused(refused, "There is no model a.")
    events.cancelled(cancelled)

    assert flower.row(task_id(refused), "FAILURE")["result"] == "There is no model a."
    assert flower.row(task_id(cancelled), "REVOKED")


def test_its_page_has_a_column_for_what_was_asked_and_for_what_came_of_it(flower: Flower) -> None:
    page = flower.http.get("/tasks").text

    shown = [part.partition('"')[0] for part in page.split('data-column="')[1:]]
    assert shown == ["name", "args", "state", "result", "worker", "received", "runtime"]


def test_it_needs_its_password_and_writes_it_nowhere(flower: Flower) -> None:
    with httpx.Client(base_url=flower.http.base_url, trust_env=False) as stranger:
        assert {stranger.get(path).status_code for path in ("/tasks", "/api/tasks", "/workers")} == {401}

    said = flower.log.read_text() + json.dumps(flower.tasks())
    assert not any(secret in said for secret in (AUTH[1], "not:for"))
