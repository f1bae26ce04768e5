"""`lookalike doctor` names what is broken; here parts are really broken, one after the other or several at once."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from lookalike import parts as parts_list
from lookalike.data_folder import DataFolder, make_data_folder
from lookalike.doctor.binaries import broker_program, model
from lookalike.doctor.environment import certificates, proxies
from lookalike.doctor.host import processor, python, watching
from lookalike.doctor.packages import extra, missing_packages, versions
from lookalike.doctor.result import CheckResult
from lookalike.doctor.servers import broker, parts, store
from lookalike.doctor.storage import data, disk, library, ports
from lookalike.parts import EXTRAS
from lookalike.redis_keys import Keys
from lookalike.settings import Settings
from lookalike.telemetry import Telemetry
from tests.support.edge import edge_process
from tests.support.valkey import free_port, valkey_process
from tests.support.workers import worker_environment

UNSHARE = shutil.which("unshare") or "unshare"


def doctor(*words: str, within: Sequence[str] = (), **settings: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*within, sys.executable, "-c", "from lookalike.cli import main; main()", "doctor", *words]
    environment = worker_environment(**settings) | {"COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with valkey_process(tmp_path) as url:
        yield url


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


def test_python_and_what_is_installed_are_told() -> None:
    assert python().state == "ok"
    assert sys.executable in python().found
    assert "celery 5." in versions().found


def test_an_extra_that_is_not_installed_is_what_a_client_may_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_list, "find_spec", lambda _: None)

    found = extra("producer", missing_packages("producer"))

    assert (found.state, found.found) == ("warning", "not installed: watchdog")
    assert "lookalike[producer]" in (found.remedy or "")


@pytest.mark.parametrize(
    ("code", "said"),
    [("raise OSError('libfoo.so.1: cannot open')", "libfoo"), ("import os; os.abort()", "ends the process")],
)
def test_a_package_that_is_there_and_cannot_be_imported_is_broken(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "watchdog.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = extra("producer", missing_packages("producer"))

    assert found.state == "broken"
    assert said in found.found


def test_every_extra_that_a_part_needs_is_looked_at() -> None:
    assert set(EXTRAS) == {"worker", "producer", "edge", "monitor"}
    assert [missing_packages(name) for name in EXTRAS] == [[], [], [], []]


def test_a_processor_without_vector_instructions_is_told(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor: 0\nflags\t\t: fpu sse2 ssse3\n")

    assert processor(tmp_path / "cpuinfo").state == "warning"
    assert processor(tmp_path / "none").state == "ok"


def test_fewer_watches_than_folders_are_told_with_the_command(tmp_path: Path) -> None:
    limits = tmp_path / "fs" / "inotify"
    limits.mkdir(parents=True)
    for name, value in (("max_user_watches", 2), ("max_user_instances", 1), ("max_queued_events", 3)):
        (limits / name).write_text(f"{value}\n")
    for name in ("a", "b"):
        (tmp_path / "library" / name).mkdir(parents=True)

    found = watching(Settings(library=tmp_path / "library"), tmp_path)

    assert (found.state, "at least 3 folders" in found.found) == ("warning", True)
    assert "fs.inotify.max_user_watches=12" in (found.remedy or "")


def test_a_kernel_that_refuses_watches_is_told() -> None:
    """In a namespace of its own the limit can be set to nothing."""
    refuse = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    ask = "from lookalike.doctor.host import watching; from lookalike.settings import Settings; "
    command = [UNSHARE, "--user", "--map-root-user", "sh", "-c", refuse, "sh"]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")

    done = subprocess.run(
        [*command, sys.executable, "-c", ask + "print(watching(Settings()))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert "state='warning'" in done.stdout
    assert "sysctl" in done.stdout


def test_polling_needs_no_watches() -> None:
    assert watching(Settings(polling=True)).found.startswith("polling")


def test_a_data_folder_that_is_made_later_is_well(tmp_path: Path) -> None:
    assert data(DataFolder(tmp_path / "a" / "b")).state == "ok"
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_others_can_read_is_told(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    make_data_folder(folder)
    assert data(folder).state == "ok"

    folder.root.chmod(0o755)

    assert data(folder) == CheckResult(
        "data folder", "warning", f"{folder.root} is open to others (mode 755)", f"chmod 700 {folder.root}"
    )


def test_a_data_folder_with_files_of_somebody_is_broken(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").touch()

    assert data(DataFolder(tmp_path)).state == "broken"


def test_a_full_disk_is_broken(tmp_path: Path) -> None:
    ask = f"from pathlib import Path; from lookalike.doctor.storage import disk; from lookalike.data_folder import DataFolder; print(disk(DataFolder(Path({str(tmp_path)!r}))))"  # noqa: E501
    mounted = [
        UNSHARE,
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=20m none "$0" && exec "$@"',
    ]
    if subprocess.run([*mounted, str(tmp_path), "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")

    done = subprocess.run(
        [*mounted, str(tmp_path), sys.executable, "-c", ask], check=True, capture_output=True, text=True
    )

    assert "state='broken'" in done.stdout
    assert "20 MiB free" in done.stdout
    assert disk(DataFolder(tmp_path)).state == "ok"


def test_an_empty_library_may_be_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    (tmp_path / "photos").mkdir()

    assert library(Settings(), folder).state == "ok"
    assert library(Settings(library=tmp_path / "photos"), folder).state == "warning"
    assert library(Settings(library=tmp_path / "none"), folder).state == "broken"


def test_a_port_that_is_taken_is_stepped_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (flower, *_) = ports(Settings(flower_port=taken), None)

    assert (flower.name, flower.state) == ("port of flower", "ok")
    assert f"{taken} is taken" in flower.found


def test_no_port_at_all_is_broken() -> None:
    (flower, *_) = ports(Settings(flower_host="192.0.2.1"), None)

    assert flower.state == "broken"


def test_the_broker_that_ships_and_the_model_that_ships_run() -> None:
    found = model(Settings())

    assert broker_program().state == "ok"
    assert (found.state, found.found.split()[0]) == ("ok", "resnet18")


def test_a_broker_answers_or_the_sentence_says_why_not(url: str) -> None:
    assert broker(Settings(redis_url=SecretStr(url))).state == "ok"
    with Redis.from_url(url) as redis:
        redis.config_set("maxmemory", "100mb")
        redis.config_set("maxmemory-policy", "allkeys-lru")
        forgetful = broker(Settings(redis_url=SecretStr(url)))
        redis.config_set("requirepass", "secret")
        locked = broker(Settings(redis_url=SecretStr(url)))

    assert (forgetful.state, "noeviction" in (forgetful.remedy or "")) == ("warning", True)
    assert (locked.state, "password" in (locked.remedy or "")) == ("broken", True)


def test_a_store_wants_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", "right")
    with edge_process(tmp_path / "store") as edge:
        right = store(Settings(qdrant_url=edge.url, qdrant_api_key=SecretStr("right")), None)
        wrong = store(Settings(qdrant_url=edge.url, qdrant_api_key=SecretStr("wrong")), None)

    assert right.state == "ok"
    assert (wrong.state, "QDRANT_API_KEY" in (wrong.remedy or "")) == ("broken", True)


def test_parts_that_are_silent_are_named(url: str) -> None:
    settings = Settings(redis_url=SecretStr(url), data=Path("/nowhere"))
    with Redis.from_url(url) as redis:
        Telemetry(redis, Keys("lookalike")).heartbeat("producer", "1")

    found = parts(settings)

    assert (found.state, found.found) == ("broken", "silent: store, ingest, search")


@pytest.mark.parametrize(
    ("environment", "url", "state", "said"),
    [
        ({}, None, "ok", "none"),
        ({"ALL_PROXY": "socks://127.0.0.1:9"}, None, "ok", "reached directly all the same"),
        ({"ALL_PROXY": "socks4://127.0.0.1:9"}, "http://127.0.0.1:6333", "ok", "127.0.0.1 is reached directly"),
        ({"HTTP_PROXY": "http://me:secret@proxy:3128"}, "http://qdrant:6333", "ok", "through http://proxy:3128"),
        ({"ALL_PROXY": "socks4://127.0.0.1:9"}, "http://qdrant:6333", "broken", "ALL_PROXY names a socks4 proxy"),
    ],
)
def test_proxies_are_told_with_what_they_mean_for_the_store(
    environment: dict[str, str], url: str | None, state: str, said: str
) -> None:
    found = proxies(Settings(qdrant_url=url), environment)

    assert found.state == state
    assert said in f"{found.found} {found.remedy}"
    assert "secret" not in f"{found.found} {found.remedy}"


def test_certificates_that_are_not_there_are_told_by_their_variable(tmp_path: Path) -> None:
    there = {"SSL_CERT_DIR": f"{tmp_path / 'none'}{os.pathsep}{tmp_path}"}

    assert certificates({}).state == "ok"
    assert certificates(there).state == "ok"
    missing = certificates(there | {"SSL_CERT_FILE": str(tmp_path / "none")})
    assert (missing.state, "unset SSL_CERT_FILE" in (missing.remedy or "")) == ("warning", True)


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
