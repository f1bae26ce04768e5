"""The system that fills in a second generation: what it shares with the first one, and what it has for itself."""

import os
import sys
from pathlib import Path

import pytest

from lookalike.local.second_system import (
    SecondSystem,
    second_commands,
    second_environment,
    second_settings,
)
from lookalike.local.supervision.processes import reindex_spec
from lookalike.local.supervision.supervisor import supervisor_conf
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder
from tests.support.waiting import wait_until


def test_it_has_queues_and_a_model_of_its_own_and_shares_the_rest() -> None:
    first = read_settings(name="photos", library_id="lib", max_events=50, search_lock="run/lock")

    second = second_settings(first, "new.onnx", "euclid")
    environment = second_environment(second, {"LOOKALIKE_ALIVE_FILE": "run/alive", "LOOKALIKE_SETTLE_S": "2"})

    assert {second.keys.ingest, second.keys.search}.isdisjoint({first.keys.ingest, first.keys.search})
    assert (second.succeeds, second.library_id, second.search_lock) == ("photos", "lib", first.search_lock)
    assert "LOOKALIKE_ALIVE_FILE" not in environment
    assert {name: environment[name] for name in environment if name != "LOOKALIKE_GUARDIAN"} == {
        "LOOKALIKE_SETTLE_S": "2",
        "LOOKALIKE_NAME": "photos-next",
        "LOOKALIKE_SUCCEEDS": "photos",
        "LOOKALIKE_MODEL": "new.onnx",
        "LOOKALIKE_DISTANCE": "euclid",
        "LOOKALIKE_MAX_EVENTS": "0",
    }


def test_each_part_takes_from_queues_of_the_second_system() -> None:
    commands = second_commands(second_settings(read_settings(), "new.onnx", "dot"))

    assert commands.keys() == {"ingest", "search", "producer"}
    assert "lookalike-next:ingest,lookalike-next:rescan" in commands["ingest"]
    assert "lookalike-next:search" in commands["search"]


def test_a_process_that_ends_is_started_again_and_all_end_with_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    code = f"import os, time; open({str(said)!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    monkeypatch.chdir(tmp_path)
    environment = second_environment(second_settings(read_settings(), "new.onnx", "dot"), os.environ)
    second = SecondSystem(environment, {part: [sys.executable, "-c", code] for part in ("one", "two", "three")})

    def started() -> list[int]:
        second.keep_alive()
        return [int(line) for line in said.read_text().split()] if said.exists() else []

    wait_until(lambda: len(started()) == 3)
    os.kill(started()[0], 9)
    wait_until(lambda: len(started()) == 4)

    second.stop()

    assert not second.is_started
    assert not any(Path(f"/proc/{pid}").exists() for pid in [int(line) for line in said.read_text().split()])


def test_the_program_is_not_started_by_itself_nor_again_once_it_is_done(tmp_path: Path) -> None:
    conf = supervisor_conf(DataFolder(tmp_path), [reindex_spec(read_settings())])

    program = conf.partition("[program:reindex]")[2]
    assert "[group:aside]\nprograms=reindex\n" in conf
    assert "autostart=false" in program
    assert "autorestart=unexpected" in program
