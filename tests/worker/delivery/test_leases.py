"""Leases on messages: who holds what, and when another holder may take it over."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from lookalike.redis_keys import Keys
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until
from worker.delivery.leases import HeldMessage, Leases, TakenOver, died_here, holder
from worker.delivery.takeover import Takeover

LEASE_S = 2.0
KEYS = Keys("many")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with valkey_process(tmp_path_factory.mktemp("leases")) as url, Redis.from_url(url) as redis:
        yield redis


@pytest.fixture
def redis(broker: Redis) -> Redis:
    broker.flushall()
    return broker


def leases(redis: Redis, mine: str, lease_s: float = 60.0) -> Leases:
    return Leases(redis, KEYS, mine, lease_s=lease_s)


def hold(redis: Redis, who: str, *tags: str) -> None:
    """As Celery's transport keeps what it delivered."""
    for tag in tags:
        message = {"body": tag, "headers": {}, "properties": {}}
        redis.hset(KEYS.unacked(who), tag, json.dumps([message, "", KEYS.rescan]))
        redis.zadd(f"{KEYS.unacked(who)}:index", {tag: 1.0})


def expired(leases: Leases) -> set[str]:
    """Those whose lease has expired: asked twice, because of a holder it must be known before."""
    leases.renew()
    return leases.renew()[1]


def waiting(redis: Redis) -> list[str]:
    found: list[bytes] = redis.lrange(KEYS.rescan, 0, -1)  # type: ignore[assignment]
    return sorted(json.loads(message)["body"] for message in found)


def test_each_message_of_many_dead_holders_comes_back_once_however_many_take_over(redis: Redis) -> None:
    dead = [f"elsewhere/dead:{at}:1" for at in range(60)]
    for who in dead:
        redis.sadd(KEYS.holders, who)
        hold(redis, who, f"{who}-a", f"{who}-b")

    def take(mine: str) -> None:
        one = leases(redis, mine)
        for other in expired(one):
            one.take_over(other, is_dead=False)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(take, [f"elsewhere/living:{at}:1" for at in range(4)]))

    assert waiting(redis) == sorted(f"{who}-{which}" for who in dead for which in "ab")
    assert redis.scard(KEYS.holders) == 4
    assert not list(redis.scan_iter("many:unacked:*"))


def test_a_lease_that_ends_while_nothing_is_held_leaves_nothing(redis: Redis) -> None:
    living, dead = leases(redis, "elsewhere/living:1:1"), "elsewhere/dead:2:2"
    redis.sadd(KEYS.holders, dead)

    assert expired(living) == {dead}
    assert living.take_over(dead, is_dead=False) == 0

    assert {key.decode() for key in redis.scan_iter("many:*")} == {
        KEYS.holders,
        KEYS.lease("elsewhere/living:1:1"),
    }
    assert living.renew() == (set(), set())


@pytest.mark.parametrize("strange", [b"no json", b"[]", b'["a", "", "b"]', b"7"])
def test_what_is_no_message_does_not_hold_up_the_others(redis: Redis, strange: bytes) -> None:
    living, dead = leases(redis, "elsewhere/living:1:1"), "elsewhere/dead:2:2"
    redis.sadd(KEYS.holders, dead)
    redis.hset(KEYS.unacked(dead), "strange", strange)
    hold(redis, dead, "a")

    living.take_over(dead, is_dead=False)

    assert waiting(redis) == ["a"]


def test_a_lease_that_runs_is_nobody_elses(redis: Redis) -> None:
    leases(redis, "elsewhere/living:1:1").renew()
    hold(redis, "elsewhere/living:1:1", "a")

    assert expired(leases(redis, "elsewhere/other:2:2")) == set()
    assert leases(redis, "elsewhere/other:2:2").take_over("elsewhere/living:1:1", is_dead=False) == 0
    assert redis.hlen(KEYS.unacked("elsewhere/living:1:1")) == 1


def test_a_process_of_this_machine_that_is_dead_is_not_waited_for(redis: Redis) -> None:
    mine = holder()
    machine, _, process = mine.rpartition("/")
    host, pid, _ = process.rsplit(":", 2)
    earlier = f"{machine}/{host}:{pid}:1"
    leases(redis, earlier).renew()
    hold(redis, earlier, "a")

    assert (died_here(mine), died_here(earlier), died_here(f"elsewhere/{host}:{pid}:1")) == (False, True, False)
    Takeover(leases(redis, mine), lease_s=60.0).run_round()

    assert waiting(redis) == ["a"]


def test_what_is_held_by_nobody_known_comes_back_after_a_lease(redis: Redis) -> None:
    """A broker that was emptied and filled again, or the keys of an earlier version."""
    hold(redis, "shared", "a")
    looking, now_s = leases(redis, "elsewhere/living:1:1", lease_s=0.2), [100.0]
    takeover = Takeover(looking, lease_s=0.2, now_s=lambda: now_s[0])
    takeover.run_round()
    assert waiting(redis) == []

    wait_until(lambda: expired(looking) == {"shared"})
    for _ in range(3):
        now_s[0] += 0.06
        takeover.run_round()

    assert waiting(redis) == ["a"]


def test_a_message_that_was_taken_over_is_left_unless_it_came_back(redis: Redis) -> None:
    frozen, other = leases(redis, "elsewhere/frozen:1:1"), leases(redis, "elsewhere/other:2:2")
    hold(redis, "elsewhere/frozen:1:1", "a")
    redis.sadd(KEYS.holders, "elsewhere/frozen:1:1")
    assert HeldMessage(frozen, "a").check() is False

    other.take_over("elsewhere/frozen:1:1", is_dead=False)
    with pytest.raises(TakenOver):
        HeldMessage(frozen, "a").check()
    hold(redis, "elsewhere/frozen:1:1", "a")
    assert HeldMessage(frozen, "a").check() is True
    # A broker that lost everything took nothing over.
    redis.flushall()
    assert HeldMessage(frozen, "a").check() is False


def test_a_frozen_task_asks_before_it_goes_on(redis: Redis) -> None:
    frozen, now_s = leases(redis, "elsewhere/frozen:1:1"), [100.0]
    hold(redis, "elsewhere/frozen:1:1", "a")
    redis.sadd(KEYS.holders, "elsewhere/frozen:1:1")
    held = HeldMessage(frozen, "a", now_s=lambda: now_s[0])
    held.check()
    leases(redis, "elsewhere/other:2:2").take_over("elsewhere/frozen:1:1", is_dead=False)

    held.check_after(lambda: None)
    now_s[0] += 10.0
    with pytest.raises(TakenOver):
        held.check_after(lambda: None)


@pytest.mark.parametrize("before", ["it has begun", "it was frozen itself"])
def test_whoever_lives_renews_before_anybody_takes_over(redis: Redis, before: str) -> None:
    """Leases end while a broker is away, or while a machine with all its workers is."""
    living, now_s = "elsewhere/living:1:1", [100.0]
    takeover = Takeover(leases(redis, "elsewhere/other:2:2", lease_s=10.0), lease_s=10.0, now_s=lambda: now_s[0])
    if before == "it was frozen itself":
        for _ in range(10):
            takeover.run_round()
            now_s[0] += 2.0
        now_s[0] += 60.0
    redis.sadd(KEYS.holders, living)
    hold(redis, living, "a")

    for _ in range(4):
        takeover.run_round()
        now_s[0] += 2.0
    leases(redis, living).renew()
    takeover.run_round()
    assert waiting(redis) == []

    redis.delete(KEYS.lease(living))
    takeover.run_round()
    assert waiting(redis) == ["a"]
