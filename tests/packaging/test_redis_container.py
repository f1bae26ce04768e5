"""The command of Redis in docker-compose.yml, run as it is written, with another port and folder."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.packaging.conftest import ROOT
from tests.programs.rehearsal.recipe import services_of
from tests.support.valkey import free_port, valkey_binary

GIVEN = {"PHOTOS": "/photos", "REDIS_PASSWORD": "secret", "QDRANT_API_KEY": "key", "FLOWER_AUTH": "user:password"}
GIVEN["WEB_AUTH"] = "token"
KEYS = 1000


@contextmanager
def started(folder: Path, **given: str) -> Iterator[Redis]:
    """A client of a server that runs over the folder while the block runs, and is killed after it."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("redis-server", "redis-check-aof"):
        if not (folder / "bin" / name).exists():
            (folder / "bin" / name).symlink_to(valkey_binary())
    given = {**GIVEN, **given}
    service = services_of(ROOT / "docker-compose.yml", given)["redis"]
    port = free_port()
    shell, option, script = service["command"]
    script = script.replace("dir /data", f"dir {folder}\nport {port}\nbind 127.0.0.1").replace("/data", str(folder))
    environment = {**service["environment"], "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    with (folder / "said").open("ab") as said:
        server = subprocess.Popen(
            [shell, option, script], env=environment, stdout=subprocess.PIPE, stderr=said, text=True
        )
    assert server.stdout is not None
    try:
        assert any("Ready to accept connections" in line for line in server.stdout)
        with Redis(port=port, password=given["REDIS_PASSWORD"]) as client:
            yield client
    finally:
        server.kill()
        server.communicate()


def test_it_wants_a_password_keeps_what_it_has_and_evicts_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        port = client.connection_pool.connection_kwargs["port"]
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"PING\r\n")
            answer = stranger.recv(100)
        found = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")

    assert answer.startswith(b"-NOAUTH")
    assert found == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
    }


def test_a_changed_limit_counts_at_the_next_start(tmp_path: Path) -> None:
    """It is part of the service, so compose makes the container anew; content of a `config` is not."""
    with started(tmp_path) as client:
        before = client.config_get("maxmemory")["maxmemory"]
    with started(tmp_path, REDIS_MAXMEMORY="300mb") as client:
        after = client.config_get("maxmemory")["maxmemory"]

    assert (before, after) == (str(256 * 2**20), str(300 * 2**20))


@pytest.mark.parametrize("password", ["a b", "it's", 'say "hi"', "back\\slash\\", "$HOME `x` #1", "ä/ö", "x" * 100])
def test_a_password_may_have_any_characters(tmp_path: Path, password: str) -> None:
    with started(tmp_path, REDIS_PASSWORD=password) as client:
        assert client.ping()


def test_what_was_written_is_there_after_a_kill(tmp_path: Path) -> None:
    _fill(tmp_path)

    with started(tmp_path) as client:
        assert client.dbsize() == KEYS
    assert not (tmp_path / "appendonlydir.damaged").exists()


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_log_is_cut_off_where_the_damage_begins(tmp_path: Path, damage: str) -> None:
    _fill(tmp_path)
    (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    with log.open("r+b") as file:
        if damage == "cut":
            file.truncate(log.stat().st_size // 2)
        else:
            file.seek(log.stat().st_size // 2)
            file.write(b"\x00" * 100)

    with started(tmp_path) as client:
        assert 0 < client.dbsize() < KEYS
        client.set("later", 1)
    with started(tmp_path) as client:
        assert client.get("later") == b"1"


@pytest.mark.parametrize("name", ["*.base.*", "*.manifest"])
def test_what_cannot_be_mended_is_set_aside(tmp_path: Path, name: str) -> None:
    _fill(tmp_path)
    (tmp_path / "appendonlydir.damaged").mkdir()
    (file,) = (tmp_path / "appendonlydir").glob(name)
    file.write_bytes(b"\x00 nonsense")

    with started(tmp_path) as client:
        assert client.dbsize() == 0
    assert list((tmp_path / "appendonlydir.damaged").glob("*.incr.aof"))


def _fill(folder: Path) -> None:
    with started(folder) as client:
        client.mset({f"key-{number}": "value" for number in range(KEYS // 2)})
        for number in range(KEYS // 2, KEYS):
            client.set(f"key-{number}", "value")
        client.config_set("appendfsync", "always")
        client.set("key-0", "value")
