"""What the producer says about itself, how often, and what it finds out while it says it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.index_state import IndexReport, IndexState
from lookalike.broker.reports import ProducerReport
from lookalike.broker.telemetry import BEAT_S, Telemetry
from lookalike.library.version import folder_version
from lookalike.redis_keys import Keys
from producer.publishing.broker_health import BrokerHealth
from producer.publishing.in_flight import InFlight
from producer.reporter import Reporter
from producer.scanning.planner import DeletionGuard
from tests.support.valkey import free_port, start_valkey, stop_valkey
from tests.support.waiting import wait_until

NOTE = ProducerReport(discovered=1, state="watching", scan_ended_at=1.0)


class Desk:
    """A reporter with a clock that the test holds."""

    def __init__(self, redis: Redis) -> None:
        self.now_s = 100.0
        self.returned = 0
        self.telemetry = Telemetry(redis, Keys("desk"))
        self.notes = IndexState(redis, Keys("desk"))
        self.heard: list[IndexReport] = []
        self.broker_health = BrokerHealth(self._return, lambda: self.now_s)
        self.in_flight = InFlight(lambda: self.now_s)
        self.reporter = Reporter(
            telemetry=self.telemetry,
            redis=redis,
            broker_health=self.broker_health,
            in_flight=self.in_flight,
            deletion_guard=DeletionGuard(0.3, 100),
            on_allowed=lambda: None,
            index_state=self.notes,
            on_index_changed=self.heard.append,
            identity="here",
            now_s=lambda: self.now_s,
        )

    def _return(self) -> None:
        self.returned += 1


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as client:
        for left in client.scan_iter("desk:*"):
            client.delete(left)
        yield client


def test_a_note_is_written_about_once_a_second(redis: Redis) -> None:
    desk = Desk(redis)
    desk.reporter.report(NOTE)
    desk.reporter.report(replace(NOTE, discovered=2))
    assert desk.telemetry.read_report().discovered == 1

    desk.now_s += 1.0
    desk.reporter.report(replace(NOTE, discovered=2))

    assert desk.telemetry.read_report().discovered == 2


@pytest.mark.parametrize(
    "changed",
    [{"state": "offline"}, {"settling": 3}, {"held": 3}, {"warning": "look here"}, {"scan_ended_at": 2.0}],
)
def test_what_a_client_may_wait_for_is_written_at_once(redis: Redis, changed: dict[str, object]) -> None:
    desk = Desk(redis)
    desk.reporter.report(NOTE)

    desk.reporter.report(replace(NOTE, **changed))  # type: ignore[arg-type]

    assert desk.telemetry.read_report() == replace(NOTE, **changed)  # type: ignore[arg-type]


def test_a_producer_that_reports_is_alive(redis: Redis) -> None:
    desk = Desk(redis)

    desk.reporter.report(NOTE)

    assert desk.telemetry.count_alive(["producer"]) == {"producer": 1}


def test_what_is_on_its_way_has_arrived_when_the_queues_are_empty(redis: Redis) -> None:
    desk = Desk(redis)
    desk.in_flight.mark_sent("a.jpg", folder_version(1, 1))
    redis.rpush("desk:ingest", "a message")
    desk.reporter.report(NOTE)
    assert len(desk.in_flight) == 1

    redis.delete("desk:ingest")
    desk.now_s += 1.0
    desk.reporter.report(NOTE)

    assert len(desk.in_flight) == 0


def test_a_broker_that_restarted_between_two_attempts_counts_as_returned(tmp_path: Path) -> None:
    port = free_port()
    server = start_valkey(tmp_path, port)
    try:
        with Redis(port=port) as client:
            desk = Desk(client)
            desk.reporter.report(NOTE)
            stop_valkey(server)
            server = start_valkey(tmp_path, port)

            def report() -> int:
                desk.now_s += 6.0
                desk.reporter.report(NOTE)
                return desk.returned

            wait_until(report)
            assert not desk.broker_health.is_unavailable
            assert (report(), report()) == (1, 1)
    finally:
        stop_valkey(server)


def test_a_broker_that_was_emptied_counts_as_returned(redis: Redis) -> None:
    desk = Desk(redis)
    desk.reporter.report(NOTE)
    redis.flushall()

    for _ in range(3):
        desk.now_s += 6.0
        desk.reporter.report(NOTE)

    assert desk.returned == 1


def test_an_index_that_changed_is_heard_of_once_and_the_one_at_start_is_no_change(redis: Redis) -> None:
    desk = Desk(redis)
    desk.notes.report_change("the index was made", recreated=False)
    desk.reporter.report(NOTE)
    assert desk.heard == []

    desk.notes.report_change("the index was made", recreated=True)
    for _ in range(3):
        desk.now_s += BEAT_S
        desk.reporter.report(NOTE)

    assert [(note.why, note.is_recreated) for note in desk.heard] == [("the index was made", True)]


def test_an_index_that_changes_while_the_broker_is_emptied_is_heard_of(redis: Redis) -> None:
    desk = Desk(redis)
    desk.notes.report_change("the index was made", recreated=False)
    desk.reporter.report(NOTE)
    redis.delete("desk:index")
    desk.now_s += BEAT_S
    desk.reporter.report(NOTE)

    desk.notes.report_change("the index was made", recreated=True)
    desk.now_s += BEAT_S
    desk.reporter.report(NOTE)

    assert [note.is_recreated for note in desk.heard] == [True]


def test_what_keeps_workers_from_writing_is_known_within_a_beat(redis: Redis) -> None:
    desk = Desk(redis)
    desk.notes.report_trouble("It is another library's index.")
    desk.reporter.report(NOTE)
    assert desk.reporter.trouble == "It is another library's index."

    desk.notes.report_trouble("")
    desk.now_s += BEAT_S
    desk.reporter.report(NOTE)

    assert desk.reporter.trouble == ""
