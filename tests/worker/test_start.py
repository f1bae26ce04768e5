"""What a worker's start says and asks for: nothing of the superuser, and a library that it can read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.errors import Refused
from lookalike.settings import read_settings
from tests.support.edge import edge_process
from tests.support.loading import loading_broker
from tests.support.valkey import free_port, valkey_process
from tests.support.waiting import wait_until
from tests.support.workers import ROOT, worker_environment
from worker.prepare import need_room

# A container runs as the owner of the library, whom its image does not know by name.
AS_OWNER = """
import os
os.getuid = os.geteuid = lambda: {uid}
os.getgid = os.getegid = lambda: 54321
import worker.celery
from celery.platforms import check_privileges
check_privileges(worker.celery.app.conf.accept_content)
"""


@pytest.mark.parametrize(("uid", "is_warned"), [(10001, False), (0, True)])
def test_only_root_is_taken_for_root(uid: int, *, is_warned: bool) -> None:
    environment = worker_environment(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    command = [sys.executable, "-c", AS_OWNER.format(uid=uid)]

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)

    assert ("superuser privileges" in done.stderr) == is_warned


def test_a_second_generation_that_finds_no_room_is_refused_before_it_is_made(model: Path) -> None:
    with pytest.raises(Refused, match="a second model in 1000001 processes needs about"):
        need_room(read_settings(model=str(model), ingest_processes=1_000_000))


def test_a_container_refuses_a_library_that_it_cannot_read(tmp_path: Path) -> None:
    with valkey_process(tmp_path) as url:
        environment = worker_environment(
            REDIS_URL=url, QDRANT_URL="http://127.0.0.1:1", LOOKALIKE_LIBRARY=tmp_path / "no"
        )
        command = [sys.executable, "-m", "worker.prepare", "--wait"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    assert done.returncode == 1
    assert done.stderr.startswith(f"The library {tmp_path / 'no'} cannot be read (No such file or directory): ")
    assert done.stderr.count(os.linesep) == 1


def test_a_container_waits_for_a_broker_that_loads_and_a_store_that_is_away(tmp_path: Path, model: Path) -> None:
    port = free_port()
    with valkey_process(tmp_path) as real, loading_broker(real) as (url, is_ready):
        servers = {"REDIS_URL": url, "QDRANT_URL": f"http://127.0.0.1:{port}"}
        environment = worker_environment(**servers, LOOKALIKE_LIBRARY=tmp_path, LOOKALIKE_MODEL=model)
        command = [sys.executable, "-m", "worker.prepare", "--wait"]
        log = tmp_path / "prepare.log"
        with log.open("wb") as said:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said)
        try:
            wait_until(lambda: "is loading the dataset" in log.read_text(), 60.0)
            is_ready.set()
            wait_until(lambda: "Qdrant does not answer" in log.read_text(), 60.0)
            assert process.poll() is None
            with edge_process(tmp_path / "data", port):
                made, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()

    assert process.returncode == 0
    assert made.startswith(b"lookalike-")
