"""docker-compose.yml and deploy/Dockerfile, as far as they can be tried without a container engine."""

import fnmatch
import http.server
import re
import shutil
import subprocess
import sys
import threading
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from lookalike.local.supervision.processes import FLOWER_FORGETS_S, REINDEX, Ports, process_specs, reindex_spec
from lookalike.settings import Settings, variable_of
from lookalike.system.store_access import store_access
from tests.packaging.conftest import ROOT
from tests.programs.rehearsal.recipe import VARIABLE, command_of, filled_in, in_order, services_of, stages_of
from tests.support.valkey import free_port

COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PARTS = ("ingest", "search", "duplicates", "producer", "flower", "web")
OURS = (*PARTS, REINDEX)
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
# Their ports.
CHECKED_BY_BASH = {"qdrant": "6333", "flower": "5555", "web": "8808"}
BASH = shutil.which("bash") or "bash"
STAGES = stages_of(DOCKERFILE)
SECRETS = {"REDIS_PASSWORD", "QDRANT_API_KEY", "FLOWER_AUTH", "WEB_AUTH"}
# Of a container or of `up`: compose gives the first three, and the image the fourth.
PLACES = {"REDIS_URL", "QDRANT_URL", "LOOKALIKE_LIBRARY", "LOOKALIKE_ALIVE_FILE"}
PLACES |= {"LOOKALIKE_DATA", "LOOKALIKE_SEARCH_LOCK", "LOOKALIKE_FLOWER_URL", "LOOKALIKE_FLOWER_HOST"}
PLACES |= {"LOOKALIKE_FLOWER_PORT", "LOOKALIKE_WEB_URL", "LOOKALIKE_WEB_HOST", "LOOKALIKE_WEB_PORT"}
# The example is that of a person.
OWNER = {"LOOKALIKE_UID", "LOOKALIKE_GID"}
# Each only where it is needed.
SECRET_ONES = {"REDIS_PASSWORD", "QDRANT_API_KEY", "LOOKALIKE_FLOWER_AUTH", "LOOKALIKE_WEB_AUTH"}
# What has to be filled in, filled in.
GIVEN = {"PHOTOS": "/photos", "REDIS_PASSWORD": "secret", "QDRANT_API_KEY": "key", "FLOWER_AUTH": "user:password"}
GIVEN["WEB_AUTH"] = "token"


def test_compose_agrees_with_the_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]

    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


def test_each_part_is_a_service() -> None:
    assert set(SERVICES) == {"redis", "qdrant", *OURS}


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_checked_and_limited(service: str) -> None:
    described = services_of(COMPOSE_FILE, GIVEN)[service]
    limits = described["deploy"]["resources"]["limits"]

    assert described["healthcheck"]["test"]
    assert limits["memory"]
    # Any other number is refused by a host with fewer cores, and by a kernel without quotas.
    assert limits.get("cpus", "0") == "0"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_take_minutes_to_load_and_is_asked_seldom(service: str) -> None:
    described = SERVICES[service]["healthcheck"]

    assert described["start_period"] == "10m"
    assert described["interval"] == "30s"


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


@pytest.mark.parametrize("service", ["ingest", "search", "duplicates", "producer", "web", REINDEX])
def test_the_library_is_mounted_read_only(service: str) -> None:
    library, *own = SERVICES[service]["volumes"]

    assert own == ([f"{service}:/var/lib/lookalike"] if service in ("duplicates", "web") else [])
    assert library["read_only"] is True
    assert library["target"] == SERVICES[service]["environment"]["LOOKALIKE_LIBRARY"]


@pytest.mark.parametrize(("given", "propagation"), [("", "rslave"), ("rprivate", "rprivate")])
def test_disks_that_are_mounted_later_are_seen_unless_the_engine_cannot(given: str, propagation: str) -> None:
    services = services_of(COMPOSE_FILE, {**GIVEN, "PHOTOS_PROPAGATION": given})

    assert {services[name]["volumes"][0]["bind"]["propagation"] for name in ("ingest", "producer", REINDEX)} == {
        propagation
    }


def test_two_systems_on_one_host_share_no_image() -> None:
    """Compose calls them by the project, as volumes and containers."""
    assert not any("image" in SERVICES[name] for name in OURS)


def test_no_part_waits_in_the_engine_for_another_to_be_well() -> None:
    """They wait by themselves: one that is never started because another loads for long is never started at all."""
    assert all(isinstance(described.get("depends_on", []), list) for described in SERVICES.values())
    (command,) = [text for word, text in STAGES["ingest"].instructions if word == "CMD"]
    assert "python -m worker.prepare --wait" in command


def test_each_part_can_be_started_after_what_it_waits_for() -> None:
    order = in_order(SERVICES)

    assert order.index("redis") < order.index("ingest")
    assert order.index("redis") < order.index("producer")


def test_what_must_be_set_stops_compose_with_a_sentence() -> None:
    for name in GIVEN:
        with pytest.raises(KeyError, match=f"set {name} in .env"):
            services_of(COMPOSE_FILE, {**GIVEN, name: ""})

    assert services_of(COMPOSE_FILE, GIVEN)["search"]["environment"]["REDIS_PASSWORD"] == "secret"


def test_each_variable_is_in_the_example_with_its_default() -> None:
    used = {(name, default if how == "-" else "") for name, how, default in VARIABLE.findall(COMPOSE_FILE.read_text())}
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    defaults = {name: default for name, default in used if default and name not in OWNER}

    without_a_value = {name for name, value in COMPOSE["x-settings"].items() if value is None}
    assert {name for name, _ in used} <= set(example)
    assert {name: example[name] for name in defaults} == defaults
    assert set(example) <= {name for name, _ in used} | without_a_value | {"COMPOSE_PROJECT_NAME"}
    # What has no sensible default stops compose with a sentence until it is set.
    unset = {name for name, value in re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE) if not value}
    assert unset == SECRETS


@pytest.mark.parametrize("service", OURS)
def test_every_setting_reaches_every_container(service: str) -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE))
    everything = services_of(COMPOSE_FILE, {**GIVEN, **dict.fromkeys(documented - PLACES, "given")})

    environment = everything[service]["environment"]

    assert documented == {variable_of(field) for field in Settings.model_fields}
    assert {name for name, value in environment.items() if value == "given"} >= documented - PLACES - SECRET_ONES
    assert {name for name in environment if not name.startswith("OTEL_")} <= documented | {"NO_PROXY", "no_proxy", "TZ"}


def test_what_is_not_set_leaves_the_default() -> None:
    assert "LOOKALIKE_SETTLE_S" not in services_of(COMPOSE_FILE, GIVEN)["ingest"]["environment"]


@pytest.mark.parametrize("service", OURS)
@pytest.mark.parametrize("theirs", ["", "intranet"])
def test_a_proxy_of_the_engine_does_not_come_between_the_parts(service: str, theirs: str) -> None:
    environment = services_of(COMPOSE_FILE, {**GIVEN, "NO_PROXY": theirs})[service]["environment"]
    injected = {"HTTP_PROXY": "http://proxy:3128", "http_proxy": "http://proxy:3128", "NO_PROXY": "x", "no_proxy": "x"}

    assert store_access("http://qdrant:6333", {**injected, **environment}).proxy is None
    assert (store_access("http://intranet:6333", {**injected, **environment}).proxy is None) == bool(theirs)


def test_no_secret_is_an_argument_or_written_down() -> None:
    filled = services_of(COMPOSE_FILE, {**GIVEN, **dict.fromkeys(SECRETS, "hunter2")}).values()
    commands = [str(described.get("command", "")) + str(described["healthcheck"]) for described in filled]

    assert not any("hunter2" in command for command in commands)
    assert not any(secret in DOCKERFILE for secret in SECRETS)


def test_images_hold_neither_torch_nor_tools_for_tests() -> None:
    installed = set(re.findall(r"--extra (\w+)", DOCKERFILE))

    assert installed == {"worker", "producer", "monitor", "web", "traces"}
    assert "apt-get" not in DOCKERFILE


def test_all_that_is_copied_is_sent_to_the_builder() -> None:
    rules = (ROOT / ".dockerignore").read_text("utf-8").split()
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}

    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)
    assert not any(fnmatch.fnmatch(".env", rule.removeprefix("!")) for rule in rules[1:])


@pytest.mark.parametrize("service", PARTS)
def test_each_part_is_started_as_on_one_machine(service: str) -> None:
    """Places and numbers differ; what is asked of the programs does not."""
    (there,) = [text for word, text in STAGES[service].instructions if word == "CMD"]
    settings = Settings(redis_url=SecretStr("redis://redis"), qdrant_url="http://qdrant")
    (here,) = [part for part in process_specs(settings, Ports(None, None, 5555, 8808)) if part.name == service]

    command = " ".join(command_of(there)).rpartition("exec ")[2]

    assert set(re.findall(r" (--[a-z-]+)", command)) == {
        word.partition("=")[0] for word in here.command if word.startswith("--")
    }
    assert {word for word in here.command if word.startswith(("--max", "--state", "--purge", "--tasks"))} <= set(
        command.split()
    )


def test_a_reindex_runs_where_its_profile_is_named_and_sees_what_ingest_sees() -> None:
    (there,) = [text for word, text in STAGES[REINDEX].instructions if word == "CMD"]
    _python, *here = reindex_spec(Settings()).command

    assert command_of(there) == ["python", *(word for word in here if word != "--once")]
    assert {name: each["profiles"] for name, each in SERVICES.items() if "profiles" in each} == {REINDEX: [REINDEX]}
    for what in ("environment", "volumes"):
        assert SERVICES[REINDEX][what] == SERVICES["ingest"][what]


def test_flower_forgets_the_workers_of_former_containers() -> None:
    (command,) = [text for word, text in STAGES["flower"].instructions if word == "CMD"]

    assert f"--purge-offline-workers={FLOWER_FORGETS_S}" in command_of(command)


class _Readiness(http.server.BaseHTTPRequestHandler):
    """Answers the paths of the checks with the status of its server."""

    def do_GET(self) -> None:
        is_asked = self.path in ("/readyz", "/healthcheck", "/healthz")
        self.send_response(self.server.status if is_asked else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("service", CHECKED_BY_BASH)
@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_a_check_by_bash_believes_the_answer_and_not_the_port(service: str, status: int, exit_code: int) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Readiness) as server:
        server.status = status  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        done = _check_by_bash(service, server.server_port)
        server.shutdown()

    assert done == exit_code


@pytest.mark.parametrize("service", CHECKED_BY_BASH)
def test_a_check_by_bash_fails_where_nobody_listens(service: str) -> None:
    assert _check_by_bash(service, free_port()) == 1


def _check_by_bash(service: str, port: int) -> int:
    """Exit code of the check on another port. No program can be found, as in an image that has none."""
    command = filled_in(SERVICES[service]["healthcheck"]["test"][-1], {}).replace(CHECKED_BY_BASH[service], str(port))
    return subprocess.run(
        [BASH, "-c", command], check=False, capture_output=True, env={"PATH": ""}, timeout=10
    ).returncode
