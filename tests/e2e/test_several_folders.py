"""`up A B` as a person uses it: one library, found from each of its folders, whose files are named as they lie."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lookalike import Client
from lookalike.system.data_folder import DataFolder
from tests.local.conftest import STARTS_WITHIN_S, Machine
from tests.support.commands import typed
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

WITHIN_S = 60.0


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """With two folders, and no data folder named."""
    machine = Machine(tmp_path_factory.mktemp("several"))
    machine.folder = DataFolder(machine.tmp_path / "home" / "lookalike")
    photos, scans = machine.tmp_path / "photos", machine.tmp_path / "scans"
    for seed in range(3):
        draw(photos / "trip" / f"{seed}.png", seed)
    draw(scans / "0.png", 0)
    tiny_model(machine.tmp_path / "tiny.onnx", copies=True)
    up = [sys.executable, "-c", "from lookalike.cli import main; main()", "up", str(photos), str(scans)]
    try:
        machine.start(
            [*up, "--model", str(machine.tmp_path / "tiny.onnx")],
            XDG_DATA_HOME=str(machine.tmp_path / "home"),
            LOOKALIKE_INGEST_PROCESSES="1",
        )
        yield machine
    finally:
        machine.clear()


@pytest.fixture
def done(machine: Machine) -> Machine:
    with Client(data=machine.folder.root) as client:
        wait_until(lambda: client.status().is_done and client.status().indexed == 4, WITHIN_S, every_s=0.1)
    return machine


def command(machine: Machine, cwd: str, *words: str) -> str:
    """What it prints; it must not fail."""
    environment = {"XDG_DATA_HOME": str(machine.tmp_path / "home"), "TMPDIR": str(machine.tmp_path)}
    done = typed(*words, cwd=machine.tmp_path / cwd, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_which_folders_it_has(machine: Machine) -> None:
    folders = f"{machine.tmp_path / 'photos'}, {machine.tmp_path / 'scans'}"

    wait_until(lambda: f"Library  {folders}\n" in machine.output.read_text(), STARTS_WITHIN_S)
    assert machine.running is not None
    assert [str(folder) for folder in machine.running.folders] == folders.split(", ")


def test_a_file_of_one_folder_finds_its_twin_in_the_other(done: Machine) -> None:
    found = command(done, "photos/trip", "search", "0.png", "--json", "--limit", "2")

    paths = [neighbour["path"] for neighbour in json.loads(found)["neighbours"]]
    assert sorted(paths) == ["photos/trip/0.png", "scans/0.png"]
    files = command(done, "scans", "search", "0.png", "--paths", "--limit", "2").splitlines()
    assert set(files) == {str(done.tmp_path / "photos/trip/0.png"), str(done.tmp_path / "scans/0.png")}
    inside = command(done, "scans", "search", "0.png", "--json", "--folder", "photos")
    assert len(json.loads(inside)["neighbours"]) == 3


def test_library_and_index_agree_and_the_commands_know_its_folders(done: Machine) -> None:
    command(done, "scans", "verify")
    listed = json.loads(command(done, ".", "systems", "--json"))
    # Others of this user may run, too.
    (ours,) = [one for one in listed if one["data"] == str(done.folder.root)]
    assert ours["folders"] == [str(done.tmp_path / name) for name in ("photos", "scans")]
    chosen = command(done, ".", "--library", str(done.tmp_path / "scans"), "status", "--json")
    assert json.loads(chosen)["library"] == f"{done.tmp_path / 'photos'}, {done.tmp_path / 'scans'}"


def test_an_upload_goes_into_one_of_them(done: Machine) -> None:
    draw(done.tmp_path / "new.png", 7)
    assert done.running is not None
    wait_until(lambda: answers(f"{done.running.web_url}/healthz"), WITHIN_S)  # type: ignore[union-attr]

    refused = upload(done, "")
    taken = upload(done, "scans")

    assert "name one of 'photos', 'scans'" in refused
    assert json.loads(taken)["files"][0]["path"] == "scans/new.png"
    assert (done.tmp_path / "scans" / "new.png").is_file()
    with Client(data=done.folder.root) as client:
        wait_until(lambda: client.status().indexed == 5, WITHIN_S, every_s=0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def upload(machine: Machine, folder: str) -> str:
    assert machine.running is not None
    file = Path(machine.tmp_path / "new.png").read_bytes()
    data = {"folder": folder} if folder else {}
    files = {"image": ("new.png", file)}
    return httpx.post(f"{machine.running.web_url}/api/v1/images", files=files, data=data, timeout=30).text
