"""Starts of broker, store, Flower and gallery are counted once each, and those without a broker afterwards."""

from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.measurements import read_measured
from lookalike.local.supervision.start_counts import StartCounts
from lookalike.local.supervision.supervisor import ProcessState
from lookalike.redis_keys import Keys
from tests.support.valkey import free_port, start_valkey, stop_valkey, valkey_process

KEYS = Keys("started")


def states(**started_at: int) -> dict[str, ProcessState]:
    return {part: ProcessState(at, has_ended=False) for part, at in started_at.items()}


def counted(redis: Redis) -> dict[str, int]:
    return read_measured(redis, KEYS).counters["starts"]


@pytest.fixture
def times_s() -> list[float]:
    return [0.0]


def test_each_start_counts_once_and_parts_that_count_themselves_are_left_to_do_so(
    tmp_path: Path, times_s: list[float]
) -> None:
    with valkey_process(tmp_path) as url, Redis.from_url(url) as redis:
        counts = StartCounts(redis, KEYS, lambda: times_s[0])
        counts.look(states(store=0, flower=10, ingest=10))
        times_s[0] += 2
        counts.look(states(store=11, flower=10, ingest=12))
        counts.look(states(store=11, flower=13, ingest=12))
        assert counted(redis) == {"flower": 1, "store": 1}

        times_s[0] += 2
        counts.look(states(store=11, flower=13, ingest=12))
        assert counted(redis) == {"flower": 2, "store": 1}


def test_the_start_of_the_broker_itself_is_counted_when_it_answers(tmp_path: Path, times_s: list[float]) -> None:
    port = free_port()
    with Redis.from_url(f"redis://127.0.0.1:{port}/0") as redis:
        counts = StartCounts(redis, KEYS, lambda: times_s[0])
        counts.look(states(broker=10))
        broker = start_valkey(tmp_path, port)
        try:
            times_s[0] += 2
            counts.look(states(broker=10))
            assert counted(redis) == {"broker": 1}
        finally:
            stop_valkey(broker)
