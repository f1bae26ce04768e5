"""Broker and store are asked what is in force: real servers, each told one thing otherwise."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured
from lookalike.local.servers.config_check import confirm_broker, confirm_store
from lookalike.local.servers.embedded import valkey_server, write_valkey_conf
from lookalike.local.servers.reachable import require_broker
from lookalike.system.data_folder import DataFolder
from tests.support.edge import edge_process
from tests.support.valkey import free_port, stop_valkey

KEY = "a key of ours"
EVERYWHERE = "0.0.0.0"  # noqa: S104 (that this is found out is what is tested)


@contextmanager
def broker(folder: DataFolder, *more: str) -> Iterator[str]:
    """Our broker as `up` starts it, but for what is said to it beside its configuration."""
    port = free_port()
    conf = write_valkey_conf(folder, port)
    with conf.open("rb") as told:
        server = subprocess.Popen([valkey_server(), "-", *more], stdin=told, stdout=subprocess.DEVNULL, cwd=folder.root)
    url = f"redis://:{folder.password.read_text()}@127.0.0.1:{port}/0"
    try:
        require_broker(url, patience_s=10)
        yield url
    finally:
        stop_valkey(server)


def test_a_broker_that_does_as_it_was_told_is_confirmed(folder: DataFolder) -> None:
    with broker(folder) as url:
        confirm_broker(url, folder)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (("--requirepass", ""), "it asks for no password"),
        (("--bind", EVERYWHERE), f"it listens on {EVERYWHERE}"),
        (("--bind", "*", "-::*"), "it listens on"),
        (("--appendonly", "no"), "it keeps nothing"),
        (("--maxmemory-policy", "allkeys-lru"), "it throws messages away (allkeys-lru)"),
        (("--dir", ".."), "it keeps its files in"),
    ],
)
def test_a_broker_that_runs_otherwise_is_refused_by_what_it_does(
    folder: DataFolder, told: tuple[str, ...], said: str
) -> None:
    with broker(folder, *told) as url, pytest.raises(Misconfigured) as refused:
        confirm_broker(url, folder)

    assert said in str(refused.value)
    assert "lookalike logs broker" in str(refused.value)


def test_a_broker_in_a_folder_whose_name_is_no_text_is_confirmed(tmp_path: Path) -> None:
    folder = DataFolder(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n[x] *")))
    for path in (folder.root, folder.broker, folder.run):
        path.mkdir()

    with broker(folder) as url:
        confirm_broker(url, folder)


def test_a_store_on_loopback_with_a_key_is_confirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", KEY)
    with edge_process(tmp_path / "store") as store:
        confirm_store(store.url, KEY)


def test_a_store_on_every_address_or_without_a_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", KEY)
    with edge_process(tmp_path / "open", None, "--host", EVERYWHERE) as store:
        url = store.url.replace(EVERYWHERE, "127.0.0.1")
        with pytest.raises(Misconfigured, match=r"listens on 127\.0\.0\.2 too"):
            confirm_store(url, KEY)

    monkeypatch.delenv("QDRANT__SERVICE__API_KEY")
    with edge_process(tmp_path / "keyless") as store, pytest.raises(Misconfigured, match="asks for no key"):
        confirm_store(store.url, KEY)
