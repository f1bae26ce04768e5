"""`up` when something crashes or comes back wrong: `up` itself, supervisord, a server, a part."""

import os
import signal

import pytest

from lookalike.broker.app import redis_of
from lookalike.errors import Unreachable
from lookalike.local import down
from lookalike.local.servers.reachable import ask_broker
from lookalike.settings import read_settings
from lookalike.system.discovery import with_running
from tests.local.conftest import STARTS_WITHIN_S, Machine
from tests.support.command_lines import SUPERVISOR
from tests.support.waiting import wait_until


def test_a_broker_that_comes_back_without_its_configuration_is_stopped_and_everything_with_it(
    machine: Machine,
) -> None:
    running = machine.start()
    conf = machine.folder.run / "valkey.conf"
    conf.write_text(conf.read_text().replace("appendonly yes", "appendonly no"))

    with redis_of(with_running(read_settings(data=machine.folder.root))) as redis:
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)

    assert machine.ended(STARTS_WITHIN_S) == 1
    said = machine.output.read_text().splitlines()[-1]
    assert "The broker does not run as it was told (it keeps nothing) and is stopped" in said
    assert machine.processes() == {}
    with pytest.raises(Unreachable):
        ask_broker(running.redis_url)


def test_kill_9_of_up_leaves_nothing_and_the_next_up_waits_for_that(machine: Machine) -> None:
    machine.start()
    machine.send(signal.SIGKILL)
    machine.ended()
    before = machine.processes()

    machine.start()

    assert before
    assert not before.keys() & machine.processes().keys()
    down(read_settings(data=machine.folder.root))
    assert machine.ended() == 0
    assert machine.processes() == {}


def test_after_kill_9_of_the_supervisor_all_parts_are_started_again_and_the_old_ones_are_gone(
    machine: Machine,
) -> None:
    machine.start()
    wait_until(lambda: machine.pids("child"), STARTS_WITHIN_S)
    before = machine.processes().keys() - {machine.process.pid if machine.process else 0}
    (supervisor,) = machine.pids(SUPERVISOR)

    os.kill(supervisor, signal.SIGKILL)

    def is_replaced() -> bool:
        # One look for both: an old child in one look and none in the next are no new one.
        now = machine.processes()
        return any("child" in command for command in now.values()) and not before & now.keys()

    wait_until(is_replaced, STARTS_WITHIN_S)
    assert "The supervisor ended, and is started again" in machine.output.read_text()
    assert machine.running is not None
    machine.send(signal.SIGTERM)
    assert machine.ended() == 0
    assert machine.processes() == {}


def test_a_broker_whose_file_is_damaged_gets_a_new_one_and_the_old_one_is_kept(machine: Machine) -> None:
    machine.start()
    machine.send(signal.SIGTERM)
    assert machine.ended() == 0
    (manifest,) = machine.folder.broker.rglob("*.manifest")
    manifest.write_bytes(b"")

    machine.start()

    assert list(machine.folder.broker.rglob("*.manifest"))
    assert list(machine.folder.broker.with_name("broker.damaged").rglob("*.manifest"))


def test_somebody_elses_store_on_the_port_of_ours_is_not_taken_for_it(machine: Machine) -> None:
    machine.begin(machine.small("--store", "open"))

    assert machine.ended(STARTS_WITHIN_S) == 1
    said = machine.output.read_text().splitlines()[-1]
    assert "took the port of the store" in said
    assert "Start again" in said
    assert machine.processes() == {}


def test_a_part_that_keeps_dying_is_named_with_the_way_to_its_log(machine: Machine) -> None:
    machine.start(machine.small("--search", "dying"))

    wait_until(lambda: "search keeps dying: lookalike logs search" in machine.output.read_text(), 30)
