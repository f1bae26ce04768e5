"""Ports that two systems choose in one moment, and ports that another program takes between choice and start."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lookalike.errors import Misconfigured
from lookalike.local.servers import ports
from lookalike.local.servers.ports import LOOPBACK, Endpoint, is_port_free, reserved_ports, taken_port
from tests.local.conftest import STARTS_WITHIN_S, Machine
from tests.programs.at_once import Together, ports_of
from tests.support.valkey import free_port
from tests.support.waiting import wait_until

ENDPOINTS = {"store": Endpoint(LOOPBACK, 6333), "flower": Endpoint(LOOPBACK, 5555)}


@pytest.fixture(params=[True, False], ids=["names", "files"])
def _kept_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reservations by names of the kernel, where it has them, and by files."""
    if request.param and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    monkeypatch.setattr(ports, "HAS_NAMES", request.param)


@pytest.mark.usefixtures("_kept_by")
def test_a_port_is_reserved_before_anybody_listens_on_it(tmp_path: Path) -> None:
    first = free_port()

    with reserved_ports(tmp_path) as one, reserved_ports(tmp_path) as other:
        mine, theirs = one(first), other(first)
        assert first <= mine < theirs
    with reserved_ports(tmp_path) as again:
        assert again(mine) == mine


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")
def test_users_who_have_no_folder_in_common_choose_different_ports(tmp_path: Path) -> None:
    first = free_port()

    with reserved_ports(tmp_path / "none") as one, reserved_ports(tmp_path / "nor this") as other:
        assert one(first) != other(first)


def test_without_a_free_port_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "MAX_TRIES", 1)
    with reserved_ports(tmp_path) as one, reserved_ports(tmp_path) as other:
        port = one(free_port())
        with pytest.raises(Misconfigured, match=f"No port from {port} up is free on 127.0.0.1: end what listens there"):
            other(port)


def test_a_part_that_ended_while_another_program_listens_on_its_port_has_lost_it() -> None:
    assert taken_port(ENDPOINTS, lambda: {"flower": 7}, lambda _host, port: port != 5555) == "flower"
    assert taken_port(ENDPOINTS, lambda: {"flower": 7}, lambda _host, _port: True) is None
    assert taken_port(ENDPOINTS, lambda: {"search": 7}, lambda _host, _port: False) is None


@pytest.mark.parametrize("later", [{}, {"flower": 8}])
def test_a_part_that_was_started_meanwhile_may_listen_there_itself(later: dict[str, int]) -> None:
    answers = iter([{"flower": 7}, later])

    assert taken_port(ENDPOINTS, lambda: next(answers), lambda _host, _port: False) is None


def test_a_store_that_lost_its_port_is_started_on_another_one(machine: Machine) -> None:
    running = machine.start(machine.small("--store", "robbed"))

    assert "Another program took the port of store" in machine.output.read_text()
    store = urlsplit(running.qdrant_url).port
    assert store is not None
    assert not is_port_free(LOOPBACK, store)


def test_flower_that_lost_its_port_gets_another_one_and_all_parts_hear_of_it(machine: Machine) -> None:
    machine.begin(machine.small("--also", "flower", "--store", "beside"))

    wait_until(lambda: "Another program took the port of flower" in machine.output.read_text(), STARTS_WITHIN_S)
    taken = (machine.folder.root / "robbed").read_text()
    wait_until(lambda: machine.running is not None and not machine.running.flower_url.endswith(taken), STARTS_WITHIN_S)
    assert machine.running is not None
    told = f"Flower   {machine.running.flower_url}"
    wait_until(lambda: told in machine.output.read_text(), STARTS_WITHIN_S)


def test_two_new_libraries_that_start_at_once_get_a_folder_and_ports_of_their_own(tmp_path: Path) -> None:
    both = Together(tmp_path, str(tmp_path))
    try:
        one, other = both.start()

        assert len(ports_of(one) | ports_of(other)) == 8
        assert one.data != other.data
        assert {one.library, other.library} == {tmp_path / "library-0", tmp_path / "library-1"}
    finally:
        both.stop()
