"""`up` with the parts that ship: a real small model, Celery workers, the producer and Flower."""

import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lookalike.client import Client
from lookalike.system.parts import PART_NAMES
from tests.local.conftest import STARTS_WITHIN_S, STOPS_WITHIN_S, Machine
from tests.local.real_parts import AUTH, PICTURES, ask_flower, real_up, start, start_lean, wait_indexed
from tests.support.pictures import draw
from tests.support.stores import store_of
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

HOST = socket.gethostname()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    for seed in range(PICTURES):
        draw(machine.library / f"{seed}.png", seed)
    try:
        start(machine, model)
        client = wait_indexed(machine, PICTURES)

        def is_told() -> bool:
            # It may have started after the first syncs, and missed them.
            client.sync(["0.png"]).result(timeout_s=STARTS_WITHIN_S)
            return any(name == "lookalike.sync" for name, *_ in tasks_in_flower(machine).values())

        wait_until(is_told, 2 * STARTS_WITHIN_S, every_s=0.5)
        yield machine
    finally:
        machine.clear()


def test_flower_shows_the_tasks_to_who_knows_the_password_alone(machine: Machine) -> None:
    with pytest.raises(HTTPError) as refused:
        ask_flower(machine, "/api/tasks", None)
    refused.value.close()
    assert refused.value.code == 401

    # Workers send their events in bundles.
    wait_until(lambda: {"lookalike.sync", "lookalike.read"} <= {name for name, *_ in tasks_in_flower(machine).values()})


def test_flowers_workers_are_called_by_part_and_host(machine: Machine) -> None:
    def names() -> set[str]:
        with ask_flower(machine, "/workers?json=1", AUTH) as answer:
            return {worker["hostname"] for worker in json.load(answer)["data"] if worker["status"]}

    # That for duplicates begins last.
    expected = {f"{part}@{HOST}.lookalike" for part in ("ingest", "search", "duplicates")}
    wait_until(lambda: names() == expected, STARTS_WITHIN_S, told=lambda: str(names()), every_s=0.5)


def test_status_tells_the_password_of_flower_to_who_asks_here_and_no_log_has_it(machine: Machine) -> None:
    shown = run_cli(machine, "status").stdout
    user, _, password = AUTH.partition(":")

    assert f"user {user}, password {password}" in shown
    assert password not in run_cli(machine, "status", "--json").stdout
    assert not any(password in log.read_text("utf-8", "replace") for log in machine.folder.logs.iterdir())
    assert password not in machine.output.read_text()


def test_flower_tells_prometheus_what_the_index_has_without_a_password(machine: Machine) -> None:
    def values() -> dict[str, float]:
        with ask_flower(machine, "/metrics", None) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples]
            return {":".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}

    # The index is asked for its sizes by the time before.
    wait_until(lambda: values().get("lookalike_index_files:indexed") == PICTURES, told=values)
    told = values()

    outcomes = [told[f"lookalike_images_total:{outcome}"] for outcome in ("embedded", "copied", "rejected")]
    assert outcomes == [PICTURES, 0, 0]
    assert {part: told[f"lookalike_starts_total:{part}"] for part in PART_NAMES} == dict.fromkeys(PART_NAMES, 1)
    assert (told["lookalike_backlog_files"], told["lookalike_library_files:discovered"]) == (0, PICTURES)
    assert told["lookalike_scans_total"] >= 1
    assert any(name.startswith("flower_events_total:") for name in told)


def test_no_page_of_flower_shows_the_brokers_password(machine: Machine) -> None:
    password = machine.folder.password.read_text()

    for page in (
        "/",
        "/broker",
        f"/worker/ingest@{HOST}.lookalike",
        f"/worker/search@{HOST}.lookalike",
        "/api/workers",
    ):
        with ask_flower(machine, page, AUTH) as answer:
            assert password not in answer.read().decode()


def test_no_secret_of_any_part_is_in_a_command_line_or_readable_by_others(machine: Machine) -> None:
    password = machine.folder.password.read_text()

    commands = [" ".join(command) for command in machine.processes().values()]
    modes = [stat.S_IMODE(path.lstat().st_mode) for path in [machine.folder.root, *machine.folder.root.rglob("*")]]

    assert len(commands) >= 9
    assert not any(secret in command for command in commands for secret in (password, AUTH))
    assert not any(mode & 0o077 for mode in modes)


def test_all_stops_within_ten_seconds_and_starts_again_with_nothing_to_do_and_nothing_forgotten(
    machine: Machine, model: Path
) -> None:
    seen = tasks_in_flower(machine)
    began = time.monotonic()
    machine.send(signal.SIGTERM)
    assert machine.ended() == 0
    assert time.monotonic() - began < STOPS_WITHIN_S
    assert machine.processes() == {}

    start(machine, model)

    client = wait_indexed(machine, PICTURES)
    assert client.status().embedded_total == PICTURES
    assert ("lookalike.sync", "lookalike: 1 path (0.png)", "1 unchanged") in seen.values()
    assert seen.items() <= tasks_in_flower(machine).items()


def test_a_pause_survives_down_and_up_and_what_was_dropped_meanwhile_is_found_after_it(
    machine: Machine, model: Path
) -> None:
    client = Client(data=machine.folder.root)
    client.pause()
    wait_until(lambda: "paused until" in machine.log("ingest"))
    draw(machine.library / "5.png", 5)
    wait_until(lambda: client.status().queued == 1)
    machine.send(signal.SIGTERM)
    assert machine.ended() == 0
    draw(machine.library / "6.png", 6)

    start(machine, model)

    client = Client(data=machine.folder.root)
    wait_until(lambda: client.status().queued >= 2, STARTS_WITHIN_S)
    assert client.search(machine.library / "6.png", 1).result()[0].score < 1
    status = client.status()
    assert (status.paused_by, status.indexed, status.embedded_total) == ("command", PICTURES, PICTURES)
    done = run_cli(machine, "status", "--wait")
    assert (done.returncode, "ingest is paused until `lookalike resume`" in done.stderr) == (1, True)
    assert "Ingest goes on" in run_cli(machine, "resume").stdout

    client = wait_indexed(machine, PICTURES + 2)
    assert client.status().embedded_total == PICTURES + 2


def test_kill_9_of_up_leaves_none_of_it(machine: Machine) -> None:
    assert machine.processes()

    machine.send(signal.SIGKILL)
    machine.ended()

    wait_until(lambda: machine.processes() == {}, STOPS_WITHIN_S + 1)


def run_cli(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from lookalike.cli import main; main()", *words]
    command += ["--data", str(machine.folder.root)]
    return subprocess.run(
        command, env=machine.environment(COLUMNS="200"), capture_output=True, text=True, timeout=60, check=False
    )


def tasks_in_flower(machine: Machine) -> dict[str, tuple[str, str, str]]:
    """Of each ended task that Flower shows its name, what was asked and what came of it, by its id; once it answers."""
    wait_until(lambda: flower_answers(machine), 2 * STARTS_WITHIN_S, every_s=0.1)
    with ask_flower(machine, "/api/tasks?limit=1000", AUTH) as answer:
        tasks = json.load(answer).items()
    return {task: (told["name"], told["args"], told["result"]) for task, told in tasks if told["state"] == "SUCCESS"}


def test_a_rebuild_changes_the_distance_and_one_with_a_broken_model_costs_no_index(
    machine: Machine, model: Path
) -> None:
    broken = machine.tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    machine.clear()
    machine.begin(real_up(machine, broken, "--rebuild"))
    assert machine.ended(STARTS_WITHIN_S) == 1
    assert "no ONNX model" in machine.output.read_text()

    start_lean(machine, model)
    client = wait_indexed(machine, len(list(machine.library.iterdir())))
    pictures = client.status().embedded_total
    assert client.verdict("0.png", "1.png", "not-duplicates").recorded == 1
    machine.clear()
    machine.begin(real_up(machine, model, "--distance", "dot"))
    assert machine.ended(STARTS_WITHIN_S) == 1
    assert "--rebuild" in machine.output.read_text()

    machine.start(real_up(machine, model, "--distance", "dot", "--rebuild"), LOOKALIKE_INGEST_PROCESSES="1")
    client = wait_indexed(machine, pictures)
    status = client.status()
    assert client.verdict("1.png", "0.png", "not-duplicates").unchanged == 1
    assert (status.distance, status.embedded_total) == ("dot", pictures)


def test_a_store_whose_files_are_damaged_is_set_aside_and_made_anew_if_somebody_says_so(
    machine: Machine, model: Path
) -> None:
    pictures = len(list(machine.library.iterdir()))
    machine.clear()
    for segment in machine.folder.store.rglob("segment.json"):
        segment.write_bytes(segment.read_bytes()[:100])

    machine.begin(real_up(machine, model))
    assert machine.ended(STARTS_WITHIN_S) == 1
    said = machine.output.read_text().splitlines()[-1]
    assert "The store's files are damaged" in said
    assert "--rebuild" in said
    assert not machine.folder.store.with_name("store.damaged").exists()

    start_lean(machine, model, "--rebuild")
    client = wait_indexed(machine, pictures)
    assert client.status().indexed == pictures
    assert [each.verdict for each in client.verdicts()] == ["not-duplicates"]
    assert list(machine.folder.store.with_name("store.damaged").rglob("segment.json"))


def test_another_library_takes_the_data_folder_and_leaves_nothing_of_the_one_before(
    machine: Machine, model: Path
) -> None:
    machine.clear()
    machine.library = machine.tmp_path / "another library"
    for seed in range(2):
        draw(machine.library / f"{seed}.png", seed)

    running = start_lean(machine, model, "--rebuild")

    assert wait_indexed(machine, 2).status().indexed == 2
    store = store_of(running)
    (collection,) = (each for each in store.get_collections().collections if not each.name.endswith("-verdicts"))
    assert store.get_collection(collection.name).config.metadata["library_id"] == running.library_id  # type: ignore[index]
    store.close()


def flower_answers(machine: Machine) -> bool:
    """Whether it does: it starts after the parts that work."""
    with suppress(OSError, HTTPException), ask_flower(machine, "/healthcheck", None):
        return True
    return False
