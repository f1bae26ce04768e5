"""`lookalike doctor` as a command: what is broken is named with its remedy, and the exit code tells."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lookalike.doctor.binaries import check_broker_program, check_model
from lookalike.settings import Settings
from tests.support.shipped import MODEL
from tests.support.valkey import free_port
from tests.support.workers import worker_environment


def doctor(*words: str, within: Sequence[str] = (), **settings: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*within, sys.executable, "-c", "from lookalike.cli import main; main()", "doctor", *words]
    environment = worker_environment(**settings) | {"COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_all_that_is_broken_is_named_with_its_remedy_and_the_exit_code_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bad.onnx").write_bytes(b"no model")

    done = doctor(
        "--json",
        LOOKALIKE_DATA=tmp_path / "file",
        LOOKALIKE_MODEL=tmp_path / "bad.onnx",
        LOOKALIKE_LIBRARY=tmp_path / "missing",
        REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0",
        QDRANT_URL=f"http://127.0.0.1:{free_port()}",
    )

    assert done.returncode == 1
    told = json.loads(done.stdout)
    bad = {finding["name"]: finding for finding in told["findings"] if finding["state"] == "broken"}
    assert set(bad) == {"data folder", "library", "model", "broker", "store"}
    assert all(finding["remedy"] for finding in bad.values())
    assert told["ok"] is False
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_that_is_well_is_told_so_and_quiet_says_nothing(tmp_path: Path) -> None:
    done = doctor("--quiet", LOOKALIKE_DATA=tmp_path / "data")

    assert (done.returncode, done.stderr) == (0, "")
    # Slow or small, on whatever machine this runs: never broken.
    assert "broken" not in done.stdout
    assert "ok " not in done.stdout


def test_wrong_settings_are_a_finding_too() -> None:
    done = doctor(LOOKALIKE_DISTANCE="far")

    assert done.returncode == 1
    assert "LOOKALIKE_DISTANCE" in done.stdout
    assert done.stderr == ""


def test_the_broker_that_ships_and_the_model_that_ships_run() -> None:
    found = check_model(Settings())

    assert check_broker_program().state == "ok"
    assert (found.state, found.found.split()[0]) == ("ok", MODEL)


def test_limits_output_and_temporary_folder_are_looked_at_as_they_are(tmp_path: Path) -> None:
    small = 'ulimit -n 100; exec "$0" "$@"'
    found = doctor(
        "--json",
        within=["sh", "-c", small],
        LOOKALIKE_DATA=tmp_path / "data",
        TMPDIR=tmp_path / "none",
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
    )

    told = {finding["name"]: finding for finding in json.loads(found.stdout)["findings"]}
    assert told["limits"]["state"] == "broken"
    assert "may open 100 files" in told["limits"]["remedy"]
    assert told["output"]["state"] == "warning"
    assert "Traceback" not in found.stderr
