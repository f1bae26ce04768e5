"""A worker's wait for messages lasts ten seconds at most, is ended when it has to be, and loses no message by that."""

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lookalike.broker.telemetry import Telemetry
from lookalike.redis_keys import Keys
from tests.support.waiting import wait_until
from tests.support.workers import worker_environment, worker_process
from worker.delivery import long_wait
from worker.delivery.celery_overrides import transport_options
from worker.delivery.heartbeat import Heartbeat
from worker.delivery.leases import Leases
from worker.delivery.long_wait import LONGEST_S, EndableWait, Transport

# By name: what kombu tells of its types is not enough for a strict check.
kombu: Any = import_module("kombu")
kombu_redis: Any = import_module("kombu.transport.redis")
KEYS = Keys("waits")
OPTIONS = transport_options(KEYS, "holder", visibility_timeout_s=60.0)


class Taking:
    """A connection that takes messages of a queue, and the bodies that came."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.taken: list[object] = []
        self.channel: Any = connection.channel()
        queue = kombu.Queue(KEYS.ingest, kombu.Exchange(KEYS.ingest), KEYS.ingest)
        kombu.Consumer(self.channel, [queue], callbacks=[self._take]).consume()

    def _take(self, body: object, message: Any) -> None:
        self.taken.append(body)
        message.ack()

    def wait(self, for_s: float) -> None:
        """Takes a message, if one comes."""
        with suppress(TimeoutError):
            self.connection.drain_events(timeout=for_s)


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    with Redis.from_url(url) as client:
        client.delete(KEYS.ingest)
        yield client


@pytest.fixture
def taking(url: str) -> Iterator[Taking]:
    with kombu.Connection(url, transport=Transport, transport_options=OPTIONS) as connection:
        yield Taking(connection)


def requests(redis: Redis) -> list[str]:
    """The commands of the clients that wait."""
    return [client["cmd"] for client in redis.client_list() if client["cmd"] == "brpop"]


@pytest.mark.parametrize("member", ["_brpop_start", "_in_poll", "client", "conn_or_acquire", "close"])
def test_kombu_has_what_is_used(member: str) -> None:
    assert hasattr(kombu_redis.Channel, member)
    assert hasattr(kombu_redis.SentinelChannel, member)


def test_kombus_loop_has_the_timer_that_is_replaced() -> None:
    registered = set(kombu_redis.Transport.register_with_event_loop.__code__.co_names)

    assert {"_binding_expiry_tref", "maybe_refresh_binding_expiry"} <= registered


def test_a_wait_that_is_ended_goes_on_with_the_next_request(redis: Redis, taking: Taking) -> None:
    taking.wait(0.2)
    assert requests(redis) == ["brpop"]

    taking.channel.end_wait()
    taking.wait(0.2)
    send(taking)
    taking.wait(5.0)

    assert taking.taken == [{"photo": 1}]


def test_closing_does_not_wait_for_the_end_of_a_request(redis: Redis, taking: Taking) -> None:
    taking.wait(0.2)
    assert requests(redis) == ["brpop"]

    begun_s = time.monotonic()
    taking.channel.close()

    assert time.monotonic() - begun_s < LONGEST_S / 2
    wait_until(lambda: not requests(redis))


def test_a_message_that_comes_before_the_end_is_not_lost(redis: Redis, taking: Taking) -> None:
    taking.wait(0.2)
    send(taking)

    taking.channel.close()

    assert len(taking.taken) + int(redis.llen(KEYS.ingest)) + int(redis.hlen(KEYS.unacked("holder"))) == 1


def test_a_broker_that_lets_nobody_be_unblocked_is_asked_each_second(redis: Redis, url: str) -> None:
    commands = ["+@all", "-client|unblock"]
    redis.acl_setuser("plain", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=commands)
    try:
        plain = url.replace("redis://", "redis://plain:any@")
        with kombu.Connection(plain, transport=Transport, transport_options=OPTIONS) as connection:
            taking = Taking(connection)
            taking.wait(0.2)

            assert taking.channel._waiting[1] is None  # noqa: SLF001
            begun_s = time.monotonic()
            taking.channel.close()
            assert time.monotonic() - begun_s < LONGEST_S / 2
    finally:
        redis.acl_deluser("plain")


def send(taking: Taking) -> None:
    with taking.connection.clone() as other:
        other.Producer().publish({"photo": 1}, routing_key=KEYS.ingest, exchange=KEYS.ingest, serializer="json")


def test_both_transports_wait_so() -> None:
    module = import_module(long_wait.TRANSPORT.partition(":")[0])

    for name in (long_wait.TRANSPORT, long_wait.BEHIND_SENTINELS):
        assert issubclass(getattr(module, name.partition(":")[2]).Channel, EndableWait)


def test_a_signal_ends_the_wait_of_a_worker(redis: Redis, url: str, tmp_path: Path) -> None:
    """Python's handler only leaves a note, and the loop would read it when its wait is over."""
    environment = worker_environment(REDIS_URL=url, QDRANT_URL="http://127.0.0.1:1", LOOKALIKE_NAME="waits")
    with worker_process(tmp_path / "log", environment, queues=KEYS.duplicates, name="duplicates") as worker:
        # It waits for the last time for something else than messages when it has connected to hear of its peers.
        wait_until(lambda: any(client["cmd"] == "brpop" and int(client["idle"]) < 2 for client in redis.client_list()))
        begun_s = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(2 * LONGEST_S)

        # The pool's process sleeps for a second of it.
        assert time.monotonic() - begun_s < LONGEST_S / 2


def test_a_heartbeat_is_written_at_once_and_then_with_the_lease(redis: Redis) -> None:
    telemetry = Telemetry(redis, KEYS)
    heartbeat, key = Heartbeat(telemetry), f"{KEYS.system}:beat:search:search@here"
    heartbeat.beat("search@here")
    assert telemetry.count_alive(["search"]) == {"search": 1}

    redis.delete(key)
    leases = Leases(redis, KEYS, "here", lease_s=20.0)
    leases.renew(heartbeat.write)
    assert redis.exists(key) == 0
    heartbeat.beat("search@here")
    assert redis.exists(key) == 0
    leases.renew(heartbeat.write)
    assert redis.exists(key) == 1
