"""`export`, `import`, `backup`, `restore` and `migrate` as people type them, on a system and its data folders."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from lookalike import Client, Refused
from lookalike.broker.app import redis_of
from lookalike.broker.index_state import IndexState
from lookalike.duplicates.verdicts import PairVerdict
from tests.local.conftest import Machine
from tests.support.commands import typed
from tests.support.edge import edge_process
from tests.support.lean_system import lean_system
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.waiting import wait_until

PICTURES = 12
PATIENCE_S = 60.0
# The lines of docs/moving.md, which need a server.
EXAMPLE = "http://qdrant.example:6333"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "moving.md").read_text("utf-8")
MIGRATIONS = re.findall(r"^(?:QDRANT_URL=\S+ )?lookalike migrate .*$", DOCUMENT, re.MULTILINE)
VERDICT = PairVerdict(a="0" * 64, b="1" * 64, verdict="keep-both", at="2026-11-30T00:00:00.000000Z").line + "\n"


class System(Machine):
    """A system on a library that several of them share."""

    def up(self, **environment: str) -> Client:
        self.start(lean_system(self.folder.root, self.library), **{**self.settings, **environment})
        return Client(data=self.folder.root)

    @property
    def settings(self) -> dict[str, str]:
        return {"LOOKALIKE_MODEL": str(self.tmp_path / "tiny.onnx"), "LOOKALIKE_INGEST_PROCESSES": "1"}

    def run(self, *words: str, **environment: str) -> CompletedProcess[str]:
        data = ("--data", str(self.folder.root))
        return typed(*words, *data, cwd=self.tmp_path, environment={**self.settings, **environment})

    def told(self, *words: str, **environment: str) -> Any:
        done = self.run(*words, "--json", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moving")
    tiny_model(folder / "tiny.onnx", copies=True)
    for seed in range(PICTURES):
        draw(folder / "my library" / f"{seed}.png", seed)
    (folder / "my library" / "broken.jpg").write_bytes(b"this is no picture")
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> Iterator[System]:
    """The system whose vectors are carried."""
    system = System(folder, "first")
    with system.up() as client:
        wait_until(lambda: client.status().is_done and client.status().indexed == PICTURES, PATIENCE_S)
    system.folder.verdicts.write_text(VERDICT)
    yield system
    system.kill()


@pytest.fixture
def second(folder: Path, request: pytest.FixtureRequest) -> Iterator[System]:
    """One with a data folder of its own, which does not exist yet."""
    system = System(folder, request.node.name[:20])
    yield system
    system.kill()


def embedded_at_rest(client: Client, indexed: int) -> int:
    wait_until(lambda: client.status().is_done and client.status().indexed == indexed, PATIENCE_S)
    return client.status().embedded_total or 0


def test_an_export_becomes_the_index_of_a_new_data_folder_without_inference(first: System, second: System) -> None:
    exported = first.told("export", "vectors.npz")
    without_library = second.run("import", "vectors.npz")
    imported = second.told("import", "vectors.npz", "--library", str(second.library))

    assert (exported["points"], exported["rejected"], exported["verdicts"]) == (PICTURES + 1, 1, 1)
    assert (without_library.returncode, without_library.stdout) == (1, "")
    assert "--library" in without_library.stderr
    assert (imported["written"], imported["there"], imported["verdicts"]) == (PICTURES + 1, 0, 1)
    assert second.folder.verdicts.read_text() == VERDICT
    with second.up() as client:
        assert embedded_at_rest(client, PICTURES) == 0
        assert second.told("verify", "--deep", "12")["checked"] == PICTURES
        # Into a running system: what it has already stays.
        again = second.told("import", "vectors.npz")
        assert IndexState(redis_of(client.settings), client.settings.keys).read().why == "vectors were imported"
    assert (again["written"], again["there"], again["verdicts"]) == (0, PICTURES + 1, 0)


def test_a_backup_of_a_running_system_is_restored_and_what_is_newer_is_found(first: System, second: System) -> None:
    kept = first.told("backup", "kept")
    assert kept["points"] == PICTURES + 1
    assert "holds something already" in first.run("backup", "kept").stderr
    assert "is in use by the library" in first.run("restore", "kept").stderr
    newer = draw(first.library / "newer.png", 99)

    try:
        restored = second.told("restore", "kept")
        assert restored["written"] == PICTURES + 1
        assert json.loads(second.folder.identity.read_text()) == json.loads(first.folder.identity.read_text())
        assert second.folder.verdicts.read_text() == VERDICT
        with second.up() as client:
            assert embedded_at_rest(client, PICTURES + 1) == 1
            assert second.run("verify", "--deep", "13").returncode == 0
    finally:
        newer.unlink()
        with Client(data=first.folder.root) as client:
            embedded_at_rest(client, PICTURES)


def test_an_index_moves_to_a_server_and_back_and_each_command_says_what_comes_next(
    first: System, second: System
) -> None:
    there, back_again = (shlex.split(line) for line in MIGRATIONS)
    with edge_process(first.tmp_path / "server") as server:
        assert there == ["lookalike", "migrate", "--to", EXAMPLE]
        done = first.run("migrate", "--to", server.url)
        running = first.run("migrate", "--to", "embedded")
        assert first.running is not None
        library_id = first.running.library_id
        assert back_again == [f"QDRANT_URL={EXAMPLE}", "lookalike", "migrate", "--to", "embedded"]
        source, library = {"QDRANT_URL": server.url}, ("--library", str(second.library))
        back = second.told("migrate", "--to", "embedded", *library, **source, LOOKALIKE_LIBRARY_ID=library_id)

    assert done.returncode == 0, done.stderr
    assert f"{PICTURES + 1} points copied" in done.stdout
    assert f"set QDRANT_URL={server.url}" in done.stdout
    assert "cannot be written while a system runs there" in running.stderr
    assert (back["points"], back["written"], back["removed"]) == (PICTURES + 1, PICTURES + 1, 0)
    assert back["verdicts"] == 1
    with second.up() as client:
        assert embedded_at_rest(client, PICTURES) == 0
        assert client.search("3.png", limit=1).result(timeout_s=30)[0].path == "3.png"
        assert second.folder.verdicts.read_text() == VERDICT


def test_vectors_of_another_program_answer_by_path_and_refuse_an_upload(second: System, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    paths = [f"{seed}.png" for seed in range(PICTURES - 1)]
    np.savez(tmp_path / "clip.npz", paths=np.array(paths), vectors=chance.normal(size=(len(paths), 16)))

    taken = second.told("import", str(tmp_path / "clip.npz"), "--as", "clip", "--library", str(second.library))
    with second.up(LOOKALIKE_MODEL="clip") as client:
        assert embedded_at_rest(client, PICTURES - 1) == 0
        found = client.search("3.png", limit=2).result(timeout_s=30)
        with pytest.raises(Refused, match=r"vectors of this index were imported \('clip'\)"):
            client.search(draw(tmp_path / "sent.png", 77).read_bytes()).result(timeout_s=30)
        rejected = {file.path: str(file.reason) for file in client.rejected()}

    assert taken["written"] == PICTURES - 1
    assert found[0].path == "3.png"
    assert found[0].payload["width_px"] > 0
    assert rejected.keys() == {"broken.jpg", f"{PICTURES - 1}.png"}
    assert "vectors of this index were imported" in rejected[f"{PICTURES - 1}.png"]


def test_where_there_is_no_store_a_command_says_so(second: System) -> None:
    for words in (["backup", "out"], ["migrate", "--to", "http://127.0.0.1:1"]):
        done = second.run(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert "There is no store" in done.stderr
    assert not (second.tmp_path / "out").exists()
