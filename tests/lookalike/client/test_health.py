"""Live and ready are two answers: what is away makes a system not ready, and only what hangs or ended is not live."""

import json
import os
import time
from pathlib import Path

import pytest

from lookalike.client.health import Health, programs_health, signs_health, with_readiness
from lookalike.errors import Unreachable
from lookalike.system.alive_file import AliveFile
from tests.support.commands import typed
from tests.support.status import a_status

UP = {"broker": "up", "store": "up", "ingest": "up", "search": "up", "duplicates": "up", "producer": "up"}
RUN = dict.fromkeys((*UP, "flower", "web"), True)


def test_a_system_whose_programs_run_and_that_answers_is_live_and_ready() -> None:
    found = with_readiness(programs_health(RUN), a_status(parts=UP))

    assert (found.live, found.ready, found.why) == (True, True, [])
    assert found.parts == dict.fromkeys(RUN, "up")


def test_a_store_that_is_slow_makes_it_not_ready_and_leaves_it_live() -> None:
    found = with_readiness(programs_health(RUN), a_status(parts={**UP, "store": "silent"}, warning="Qdrant is slow."))

    assert (found.live, found.ready) == (True, False)
    assert found.why == ["store does not answer.", "Qdrant is slow."]


def test_a_broker_that_is_away_does_so_too() -> None:
    found = with_readiness(programs_health(RUN), Unreachable("The broker does not answer."))

    assert (found.live, found.ready, found.why) == (True, False, ["The broker does not answer."])


def test_a_program_that_does_not_run_is_named_once() -> None:
    found = with_readiness(programs_health({**RUN, "search": False}), a_status(parts={**UP, "search": "silent"}))

    assert (found.live, found.ready) == (False, False)
    assert found.why == ["search does not run: see `lookalike logs search`."]
    assert found.parts["search"] == "down"


def test_a_supervisor_that_does_not_answer_is_not_live() -> None:
    assert programs_health({}) == Health(
        live=False, ready=None, why=["The supervisor does not answer: `lookalike down`, then `lookalike up`."], parts={}
    )


def test_of_another_machine_the_signs_of_life_count_and_not_the_store() -> None:
    silent = a_status(parts={**UP, "store": "silent", "producer": "silent"})

    assert signs_health(a_status(parts={**UP, "store": "silent"})).live
    assert signs_health(silent).why == ["producer gives no sign of life."]
    assert not signs_health(Unreachable("The broker does not answer.")).live


@pytest.mark.parametrize(
    ("said", "age_s", "question", "code"),
    [
        ("", 0, "", 0),
        ("Not now.", 0, "--live", 0),
        ("Not now.", 0, "--ready", 1),
        ("Not now.", 0, "", 1),
        ("", 60, "--live", 1),
    ],
)
def test_the_command_tells_of_one_part_where_its_file_is_set(
    said: str, age_s: int, question: str, code: int, tmp_path: Path
) -> None:
    file = tmp_path / "alive"
    alive = AliveFile(file)
    alive.beat(said)
    alive.write()
    os.utime(file, (time.time() - age_s, time.time() - age_s))

    words = ["health", *filter(None, [question]), "--json"]
    done = typed(*words, cwd=tmp_path, environment={"LOOKALIKE_ALIVE_FILE": str(file)})

    assert done.returncode == code
    assert json.loads(done.stdout)["live"] is (age_s == 0)
