"""docker-compose.yml and deploy/Dockerfile, as far as they can be tried without a container engine."""

import fnmatch
import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from redis import Redis

from lookalike.local.processes import Ports, process_specs
from lookalike.redis_keys import Keys
from lookalike.settings import Settings, variable_of
from lookalike.telemetry import Telemetry
from tests.packaging.conftest import ROOT
from tests.programs.rehearsal.recipe import VARIABLE, command_of, filled_in, in_order, services_of, stages_of
from tests.support.valkey import free_port, valkey_binary, valkey_process

COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("ingest", "search", "producer", "flower")
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
BASH = shutil.which("bash") or "bash"
STAGES = stages_of(DOCKERFILE)
# What has to be filled in, filled in.
GIVEN = {"PHOTOS": "/photos", "REDIS_PASSWORD": "secret", "QDRANT_API_KEY": "key", "FLOWER_AUTH": "user:password"}


def test_compose_agrees_with_the_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]

    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_each_part_is_a_service() -> None:
    assert set(SERVICES) == {"redis", "qdrant", *OURS}


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_checked_and_limited(service: str) -> None:
    described = SERVICES[service]

    assert described["healthcheck"]["test"]
    assert set(described["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_listens_on_the_network(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", ["redis", "qdrant"])
def test_stock_images_are_pinned(service: str) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", OURS)
def test_ours_have_no_rights_that_they_do_not_need(service: str) -> None:
    described = SERVICES[service]

    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", OURS)
def test_each_of_ours_has_a_target_of_its_own_that_is_not_root(service: str) -> None:
    assert SERVICES[service]["build"]["target"] == service

    stage, lineage = service, []
    while stage in STAGES:
        lineage.append(stage)
        stage = STAGES[stage].parent

    assert lineage[-1] == "base"
    users = {name: [text for word, text in STAGES[name].instructions if word == "USER"] for name in lineage}
    assert users == {name: ["10001:10001"] if name == "base" else [] for name in lineage}


@pytest.mark.parametrize("service", ["ingest", "producer"])
def test_the_library_is_mounted_read_only(service: str) -> None:
    (library,) = SERVICES[service]["volumes"]

    assert library["read_only"] is True
    assert library["target"] == SERVICES[service]["environment"]["LOOKALIKE_LIBRARY"]


def test_each_part_waits_until_what_it_needs_is_well() -> None:
    waits = {
        name: {on: how["condition"] for on, how in described.get("depends_on", {}).items()}
        for name, described in SERVICES.items()
    }

    assert all(set(conditions.values()) <= {"service_healthy"} for conditions in waits.values())
    assert {"redis", "qdrant"} <= set(waits["ingest"])
    assert {"redis", "qdrant"} <= set(waits["search"])
    assert "redis" in waits["producer"]
    assert "redis" in waits["flower"]


def test_each_part_can_be_started_after_what_it_waits_for() -> None:
    order = in_order(SERVICES)

    assert order.index("redis") < order.index("ingest") < order.index("producer")


def test_what_must_be_set_stops_compose_with_a_sentence() -> None:
    for name in GIVEN:
        with pytest.raises(KeyError, match=f"set {name} in .env"):
            services_of(COMPOSE_FILE, {**GIVEN, name: ""})

    assert services_of(COMPOSE_FILE, GIVEN)["search"]["environment"]["REDIS_URL"] == "redis://:secret@redis:6379/0"


def test_each_variable_is_in_the_example_with_its_default() -> None:
    used = {(name, default if how == "-" else "") for name, how, default in VARIABLE.findall(COMPOSE_FILE.read_text())}
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))

    assert {name for name, _ in used} == set(example)
    # What has no sensible default stops compose with a sentence until it is set.
    unset = {name for name, value in example.items() if not value}
    assert unset == {"REDIS_PASSWORD", "QDRANT_API_KEY", "FLOWER_AUTH"}


@pytest.mark.parametrize("service", ["ingest", "search", "producer"])
def test_what_is_set_are_settings(service: str) -> None:
    known = {variable_of(field) for field in Settings.model_fields}

    assert set(SERVICES[service]["environment"]) <= known


def test_no_secret_is_an_argument_or_written_down() -> None:
    commands = [str(described.get("command", "")) + str(described["healthcheck"]) for described in SERVICES.values()]
    secrets = ("REDIS_PASSWORD", "QDRANT_API_KEY", "FLOWER_AUTH")

    assert not any(secret in command for secret in secrets for command in commands)
    assert not any(secret in DOCKERFILE for secret in secrets)


def test_images_hold_neither_torch_nor_tools_for_tests() -> None:
    installed = set(re.findall(r"--extra (\w+)", DOCKERFILE))

    assert installed == {"worker", "producer", "monitor"}
    assert "apt-get" not in DOCKERFILE


def test_all_that_is_copied_is_sent_to_the_builder() -> None:
    rules = (ROOT / ".dockerignore").read_text("utf-8").split()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}

    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)
    assert not any(fnmatch.fnmatch(".env", rule.removeprefix("!")) for rule in rules[1:])


@pytest.mark.parametrize("service", OURS)
def test_each_part_is_started_as_on_one_machine(service: str) -> None:
    """Places and numbers differ; what is asked of the programs does not."""
    (there,) = [text for word, text in STAGES[service].instructions if word == "CMD"]
    settings = Settings(redis_url=SecretStr("redis://redis"), qdrant_url="http://qdrant")
    (here,) = [part for part in process_specs(settings, Ports(None, None, 5555)) if part.name == service]

    command = " ".join(command_of(there))

    assert set(re.findall(r" (--[a-z-]+)", command)) == {
        word.partition("=")[0] for word in here.command if word.startswith("--")
    }
    assert {word for word in here.command if word.startswith(("--max", "--state"))} <= set(command.split())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """A server with the configuration of compose; gives its port."""
    conf, port = tmp_path / "redis.conf", free_port()
    conf.write_text(filled_in(COMPOSE["configs"]["redis"]["content"], GIVEN))
    command: list[str | Path] = [
        valkey_binary(),
        conf,
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        str(tmp_path),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert any("Ready to accept connections" in line for line in server.stdout)
    try:
        yield port
    finally:
        server.kill()
        server.communicate()


def test_redis_wants_a_password_keeps_what_it_has_and_evicts_nothing(broker: int) -> None:
    with socket.create_connection(("127.0.0.1", broker)) as stranger:
        stranger.sendall(b"PING\r\n")
        answer = stranger.recv(100)
    with Redis(port=broker, password="secret") as client:
        found = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")

    assert answer.startswith(b"-NOAUTH")
    assert found == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
    }


class _Readiness(http.server.BaseHTTPRequestHandler):
    """Answers /readyz with the status of its server."""

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/readyz" else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_check_of_qdrant_believes_its_answer_and_not_its_port(status: int, exit_code: int) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Readiness) as server:
        server.status = status  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        done = _check_qdrant(server.server_port)
        server.shutdown()

    assert done == exit_code


def test_the_check_of_qdrant_fails_where_nobody_listens() -> None:
    assert _check_qdrant(free_port()) == 1


def test_the_check_of_the_producer_believes_its_heartbeat(tmp_path: Path) -> None:
    with valkey_process(tmp_path) as url:
        before = _alive("producer", url)
        with Redis.from_url(url) as redis:
            Telemetry(redis, Keys("lookalike")).heartbeat("producer", "1")
        after = _alive("producer", url)

    assert (before, after) == (1, 0)


def _check_qdrant(port: int) -> int:
    """Exit code of the check on another port. No program can be found, as in an image that has none."""
    command = filled_in(SERVICES["qdrant"]["healthcheck"]["test"][-1], {}).replace("6333", str(port))
    return subprocess.run(
        [BASH, "-c", command], check=False, capture_output=True, env={"PATH": ""}, timeout=10
    ).returncode


def _alive(part: str, url: str) -> int:
    environment = {**os.environ, "REDIS_URL": url, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "alive.py"), part], check=False, env=environment, capture_output=True
    ).returncode
