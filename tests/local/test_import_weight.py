"""A client and a worker find the running system, and load nothing of what keeps processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEEPS_PROCESSES = ("lookalike.local", "lookalike.cli", "lookalike.doctor", "supervisor", "xmlrpc")
# For a terminal, and for HTTP.
HEAVY = ("rich", "typer", "http.client")


def loaded_by(code: str, *, after: str = "") -> set[str]:
    """The modules that `code` loads in a new process, without those that `after` has loaded before."""
    program = (
        f"import json, sys\n{after}\nbefore = set(sys.modules)\n{code}\nprint(json.dumps([*set(sys.modules) - before]))"
    )
    # The broker is never connected to: the settings want one that is named.
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def found_in(modules: set[str], names: tuple[str, ...]) -> list[str]:
    return sorted(
        module for module in modules if any(module == name or module.startswith(f"{name}.") for name in names)
    )


def test_a_client_loads_no_process_manager_no_terminal_and_no_http() -> None:
    loaded = loaded_by("import lookalike; import lookalike.system.discovery")

    assert "lookalike.system.discovery" in loaded
    assert found_in(loaded, (*KEEPS_PROCESSES, *HEAVY, "structlog", "tenacity")) == []


@pytest.mark.parametrize("program", ["worker.celery", "worker.tasks", "producer.service"])
def test_a_worker_and_a_producer_load_no_process_manager(program: str) -> None:
    loaded = loaded_by(f"import {program}")

    assert program in loaded
    assert found_in(loaded, KEEPS_PROCESSES) == []


def test_a_worker_loads_no_terminal_and_no_http_but_by_qdrants_client_and_the_log() -> None:
    """httpx, by which a worker reaches Qdrant, loads http.client and rich; so does structlog with rich."""
    loaded = loaded_by("import worker.celery", after="import httpx, structlog")

    assert found_in(loaded, HEAVY) == []
    assert "http.client" in loaded_by("import httpx")


def test_the_process_guard_imports_nothing_of_ours() -> None:
    """It runs before every part, by its path."""
    guard = ROOT / "lookalike" / "system" / "process_guard.py"
    loaded = loaded_by(f"import runpy; runpy.run_path({str(guard)!r})")

    assert found_in(loaded, ("lookalike",)) == []
