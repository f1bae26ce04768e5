"""Why a worker pauses: it was asked to, it is a quiet hour, or the machine runs on its battery."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.pause import Pause, PauseState
from lookalike.redis_keys import Keys
from lookalike.settings.quiet_hours import QuietHours
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from worker.pausing import Pausing, is_on_battery, local_pause

KEYS = Keys("guest")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with valkey_process(tmp_path_factory.mktemp("pauses")) as url, Redis.from_url(url) as redis:
        yield redis


@pytest.fixture
def state(broker: Redis) -> PauseState:
    broker.flushall()
    return PauseState(broker, KEYS)


def test_a_pause_that_was_asked_for_ends_by_the_brokers_clock_or_when_it_is_told(state: PauseState) -> None:
    pausing = Pausing(state, lambda: None)
    state.ask(None)
    pausing.look()
    assert pausing.current == state.read() == Pause("command")

    state.ask(0.2)
    pausing.look()
    assert pausing.current is not None
    assert pausing.current.until_unix_s is not None
    wait_until(lambda: state.read() is None)
    pausing.look()
    assert pausing.current is None

    state.ask(60)
    state.end()
    assert state.read() is None


def test_a_workers_own_reason_is_told_while_it_lasts_and_one_that_was_asked_for_comes_first(state: PauseState) -> None:
    reasons: list[Pause | None] = [Pause("quiet hours", 2e9)]
    pausing = Pausing(state, lambda: reasons[-1])
    pausing.look()
    assert pausing.current == state.read() == Pause("quiet hours", 2e9)

    state.ask(None)
    pausing.look()
    assert pausing.current == state.read() == Pause("command")
    state.end()
    pausing.look()
    assert pausing.current == state.read() == Pause("quiet hours", 2e9)

    reasons.append(None)
    pausing.look()
    assert [pausing.current, state.read()] == [None, None]


def test_a_worker_does_not_take_back_what_another_one_told(state: PauseState) -> None:
    Pausing(state, lambda: Pause("battery")).look()

    Pausing(state, lambda: None).look()

    assert state.read() == Pause("battery")


def test_a_broker_that_does_not_answer_changes_nothing(state: PauseState) -> None:
    state.ask(None)
    with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        pausing = Pausing(PauseState(nowhere, KEYS), lambda: None)
        pausing.current = Pause("command")
        with pytest.raises(RedisError):
            pausing.look()
        pausing.look_if_possible()

    assert pausing.current == Pause("command")


def test_quiet_hours_are_those_of_the_local_clock(tmp_path: Path) -> None:
    span, noon = QuietHours.parsed("08:00-18:00"), datetime(2026, 11, 29, 12).astimezone()

    assert local_pause(span, on_battery=False, unix_s=noon.timestamp) == Pause(
        "quiet hours", noon.replace(hour=18).timestamp()
    )
    late = noon.replace(hour=20)
    assert local_pause(span, on_battery=True, unix_s=late.timestamp, power=tmp_path) is None


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Charging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}, "AC": {"type": "Mains", "online": "0"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}, "AC": {"type": "Mains", "online": "0"}}, True),
        # A machine that takes more than its supply gives.
        ({"BAT0": {"type": "Battery", "status": "Discharging"}, "AC": {"type": "Mains", "online": "1"}}, False),
        ({"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery"}}, False),
    ],
)
def test_a_machine_is_on_battery_if_its_own_is_discharged_and_no_supply_is_on_line(
    tmp_path: Path, supplies: dict[str, dict[str, str]], expected: object
) -> None:
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, word in files.items():
            (tmp_path / name / file).write_text(f"{word}\n")

    assert is_on_battery(tmp_path) is expected
    assert (local_pause(None, on_battery=True, power=tmp_path) == Pause("battery")) is expected
    assert local_pause(None, on_battery=False, power=tmp_path) is None
