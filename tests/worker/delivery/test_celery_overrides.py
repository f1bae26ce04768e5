"""Celery and kombu have each member that the worker overrides or reads, private ones included."""

import json
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.concurrency.base import BasePool
from celery.events import EventDispatcher
from celery.worker import request, state
from celery.worker.consumer import Consumer
from kombu.transport import redis as transport
from redis import Redis

from lookalike.redis_keys import Keys
from tests.support.valkey import valkey_process
from worker.delivery.celery_overrides import transport_options

KEYS = Keys("test")
OPTIONS = transport_options(KEYS, "holder", visibility_timeout_s=1.0)
MEMBERS = [
    *(("consumer", name) for name in ("on_send_event_buffered", "shutdown", "hub", "event_dispatcher")),
    *(("consumer", name) for name in ("task_consumer", "pool", "app")),
    *(("qos", name) for name in ("can_consume", "ack", "reject", "restore_at_shutdown", "_quick_ack")),
    *(("state", name) for name in ("active_requests", "reserved_requests", "scheduled_requests")),
    *(("request", name) for name in ("acknowledged", "request_dict", "message")),
    ("message", "delivery_tag"),
    ("dispatcher", "flush"),
    ("pool", "num_processes"),
    ("hub", "call_later"),
    *(("channel", name) for name in OPTIONS),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey_process(tmp_path_factory.mktemp("canary")) as url:
        yield url


@pytest.fixture(scope="module")
def owners(url: str) -> Iterator[dict[str, object]]:
    """What the members belong to, with one message of a queue delivered and not acknowledged."""
    # By name: what kombu tells of its types is not enough for a strict check.
    hub: Any = import_module("kombu.asynchronous").Hub()
    pool, controller = SimpleNamespace(num_processes=1, is_green=False), SimpleNamespace(use_eventloop=True)
    app = Celery(broker=url)
    consumer = Consumer(lambda _: None, app=app, pool=pool, controller=controller, hub=hub)
    with app.connection(transport_options=OPTIONS) as connection, connection.SimpleQueue(KEYS.ingest) as queue:
        queue.put({"photo": 1})
        message = queue.get()
        channel = message.channel
        yield {
            "consumer": consumer,
            "qos": channel.qos,
            "channel": channel,
            "message": message,
            "state": state,
            "request": request.Request,
            "dispatcher": EventDispatcher,
            "pool": BasePool,
            "hub": hub,
        }
        message.ack()
    hub.close()


@pytest.mark.parametrize(("owner", "member"), MEMBERS)
def test_celery_and_kombu_have_the_member(owners: dict[str, object], owner: str, member: str) -> None:
    assert hasattr(owners[owner], member), (
        f"Celery or kombu has no {owner}.{member} any more: adapt worker/delivery/celery_overrides.py to this version, "
        "or pin the one before it in pyproject.toml."
    )


@pytest.mark.parametrize("option", OPTIONS)
def test_kombu_takes_the_option_of_its_redis_transport(option: str) -> None:
    assert option in transport.Channel.from_transport_options, (
        f"Kombu's Redis transport does not take the option {option!r} any more, so workers would share their "
        "unacknowledged messages: adapt transport_options in worker/delivery/celery_overrides.py."
    )


@pytest.mark.parametrize("step", ["celery.worker.consumer.tasks:Tasks", "celery.worker.consumer.connection:Connection"])
def test_celery_has_the_step_after_which_ours_runs(step: str) -> None:
    module, _, name = step.partition(":")

    assert hasattr(import_module(module), name), (
        f"Celery has no step {step} any more: adapt `requires` in worker/delivery/celery_overrides.py."
    )


@pytest.mark.usefixtures("owners")
def test_kombu_keeps_an_unacknowledged_message_as_a_takeover_reads_it(url: str) -> None:
    with Redis.from_url(url) as redis:
        kept: list[bytes] = redis.hvals(KEYS.unacked("holder"))

    (delivered,) = map(json.loads, kept)
    assert isinstance(delivered, list), "Kombu keeps unacknowledged messages in another form: adapt Leases._requeue."
    assert len(delivered) == 3, "Kombu keeps something else than message, exchange and queue: adapt Leases._requeue."
    assert "headers" in delivered[0], "Kombu's message has no headers any more: adapt Leases._requeue."
    assert delivered[2] == KEYS.ingest, "Kombu does not keep the routing key any more: adapt Leases._requeue."
