"""A real Redis with password and TLS in place of the embedded broker: all works, and the password shows nowhere."""

import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from pydantic import SecretStr

from lookalike.doctor.servers import check_broker
from lookalike.settings import Settings
from tests.local.conftest import Machine
from tests.support.pictures import draw
from tests.support.tiny_model import tiny_model
from tests.support.valkey import answers, free_port
from tests.support.waiting import wait_until

SERVER, OPENSSL = shutil.which("redis-server"), shutil.which("openssl")
PASSWORD = secrets.token_hex(16)
PICTURES = 12
STARTS_WITHIN_S = 10.0
INGEST = f"ingest@{socket.gethostname()}.lookalike"
PAGES = ("/", "/tasks", "/broker", "/workers", f"/worker/{INGEST}", "/metrics")
pytestmark = pytest.mark.skipif(
    SERVER is None or OPENSSL is None, reason="needs Debian's redis-server and openssl, which are not installed here"
)
CONF = """\
port 0
bind 127.0.0.1
tls-port {port}
tls-cert-file {folder}/server.pem
tls-key-file {folder}/server.key
tls-ca-cert-file {folder}/server.pem
tls-auth-clients no
requirepass {password}
dir {folder}
save ""
appendonly yes
maxmemory-policy noeviction
"""


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the server; its certificate is the one that signs it."""
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    make = [
        str(OPENSSL),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    make += ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.pem", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    conf = folder / "redis.conf"
    conf.write_text(CONF.format(port=port, folder=folder, password=PASSWORD))
    url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={folder}/server.pem"
    with (folder / "redis.log").open("w") as log:
        server = subprocess.Popen([str(SERVER), str(conf)], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(url), STARTS_WITHIN_S)
        yield url
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def machine(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("tls")
    machine = Machine(folder)
    for seed in range(PICTURES):
        draw(machine.library / f"{seed}.png", seed)
    model = tiny_model(folder / "tiny.onnx")
    command = _command("up", str(machine.library), "--data", str(machine.folder.root), "--model", str(model))
    machine.start(command, REDIS_URL=redis_url, LOOKALIKE_INGEST_PROCESSES="1")
    yield machine
    machine.clear()


def asked(machine: Machine, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = machine.environment(LOOKALIKE_DATA=str(machine.folder.root))
    return subprocess.run(_command(*words), env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_images_are_indexed_and_found(machine: Machine) -> None:
    status = asked(machine, "status", "--wait", "--json")
    search = asked(machine, "search", str(machine.library / "3.png"), "--json", "--verbose")

    assert json.loads(status.stdout)["indexed"] == PICTURES, status.stderr
    assert json.loads(search.stdout)["neighbours"][0]["path"] == "3.png"
    assert PASSWORD not in status.stdout + status.stderr + search.stdout + search.stderr


def test_the_doctor_sees_the_server_and_not_the_password(redis_url: str) -> None:
    found = check_broker(Settings(redis_url=SecretStr(redis_url)))

    assert (found.state, "rediss://127.0.0.1" in found.found) == ("ok", True)
    assert PASSWORD not in f"{found}"


def test_flower_shows_the_tasks_and_not_the_password(machine: Machine) -> None:
    assert machine.running is not None
    pages = []
    for page in PAGES:
        with urlopen(machine.running.flower_url + page, timeout=10) as answer:  # noqa: S310 (our own server)
            pages.append(answer.read().decode())

    assert INGEST in "".join(pages)
    assert PASSWORD not in "".join(pages)


def test_the_password_is_in_no_log_and_in_no_list_of_processes(machine: Machine) -> None:
    logs = [path.read_text(errors="replace") for path in machine.folder.logs.iterdir()]
    commands = [word for command in machine.processes().values() for word in command]

    assert any("sync" in log for log in logs)
    assert any("celery" in word for word in commands)
    assert PASSWORD not in "".join([*logs, machine.output.read_text(), *commands])


def test_what_is_readable_by_others_holds_no_password(machine: Machine) -> None:
    open_files = [path for path in machine.folder.root.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]

    assert [path for path in open_files if PASSWORD.encode() in path.read_bytes()] == []


def test_a_server_whose_certificate_is_not_known_is_not_talked_to(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    machine = Machine(tmp_path)

    done = subprocess.run(
        _command("up", str(tmp_path / "library"), "--data", str(tmp_path / "data")),
        env=machine.environment(REDIS_URL=re.sub(r"\?.*", "", redis_url)),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "certificate" in done.stderr.lower()
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from lookalike.cli import main; main()", *words]
