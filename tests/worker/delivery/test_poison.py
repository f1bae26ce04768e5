"""Who died in the decoders, who only works there, and who was somewhere else."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from lookalike.redis_keys import Keys
from tests.support.faulty.broker_between import Command, Lost, broker_between
from tests.support.waiting import wait_until
from tests.support.workers import ROOT
from worker.delivery.liveness import this_process
from worker.delivery.poison import Marks, PoisonDetector

LONGEST_S = 30.0
# Enters the decoders with a task and stays there.
ENTERS = """
import sys, time
from redis import Redis
from lookalike.redis_keys import Keys
from worker.delivery.poison import PoisonDetector
with PoisonDetector(Redis.from_url(sys.argv[1]), Keys("test"), longest_s=30).guard(sys.argv[2]):
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def poison(redis: Redis) -> PoisonDetector:
    return PoisonDetector(redis, Keys("test"), longest_s=LONGEST_S, unix_s=lambda: 1000.0)


@contextmanager
def inside(url: str, task: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", ENTERS, url, task], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_whoever_works_there_has_not_died_and_whoever_was_killed_there_has(poison: PoisonDetector, url: str) -> None:
    with inside(url, "task") as one, inside(url, "task") as other, inside(url, "another task"):
        assert poison.crash_marks("task", alone=True) == Marks(dead=0, living=2)

        one.kill()
        # Nobody has asked how it ended: a zombie is as dead as it will be.
        wait_until(lambda: psutil.Process(one.pid).status() == psutil.STATUS_ZOMBIE)
        assert poison.crash_marks("task", alone=True) == Marks(dead=1, living=1)
        one.wait()
        other.kill()
        other.wait()
        assert poison.crash_marks("task", alone=True) == Marks(dead=2, living=0)

    poison.clear("task")
    assert poison.crash_marks("task", alone=True) == Marks(dead=0, living=0)


def test_whoever_came_out_in_either_way_left_no_mark(poison: PoisonDetector) -> None:
    with poison.guard("task"):
        assert poison.crash_marks("task", alone=True) == Marks(dead=0, living=1)
    with pytest.raises(ZeroDivisionError), poison.guard("task"):
        raise ZeroDivisionError

    assert poison.crash_marks("task", alone=True) == Marks(dead=0, living=0)


def test_a_process_whose_id_was_given_out_again_is_dead(poison: PoisonDetector, redis: Redis) -> None:
    with poison.guard("task"):
        host, pid, _ = this_process().split(":")
        redis.hset("test:danger:task", f"{host}:{pid}:1", "1000")

        assert poison.crash_marks("task", alone=True) == Marks(dead=1, living=1)


@pytest.mark.parametrize(
    ("entered_s", "alone", "marks"),
    [
        (990.0, True, Marks(dead=0, living=1)),
        (969.0, True, Marks(dead=1, living=0)),
        (990.0, False, Marks(dead=1, living=0)),
    ],
)
def test_a_process_of_another_machine_counts_as_alive_until_its_decode_timeout(
    poison: PoisonDetector, redis: Redis, *, entered_s: float, alone: bool, marks: Marks
) -> None:
    redis.hset("test:danger:task", "elsewhere:7:7", str(entered_s))

    assert poison.crash_marks("task", alone=alone) == marks


@pytest.mark.parametrize("lost", [b"EXEC", b"HDEL"])
def test_a_mark_whose_answer_was_lost_is_removed_by_the_process_that_left_it(
    url: str, redis: Redis, lost: bytes
) -> None:
    """Otherwise this process would wait for itself, for as long as it lives."""
    faults = [lost]

    def rule(command: Command) -> Lost | None:
        if command[0] not in faults:
            return None
        faults.clear()
        return Lost.AFTER if lost == b"EXEC" else Lost.BEFORE

    with broker_between(url, rule) as between, Redis.from_url(between, retry=Retry(NoBackoff(), 0)) as flaky:
        poison = PoisonDetector(flaky, Keys("test"), longest_s=LONGEST_S)
        with pytest.raises(RedisError), poison.guard("task"):
            pass
        assert redis.hlen("test:danger:task") == 1

        assert poison.crash_marks("another", alone=True) == Marks(0, 0)
        assert redis.hlen("test:danger:task") == 0
