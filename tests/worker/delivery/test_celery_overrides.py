"""Celery and kombu have each member that the worker overrides or reads, private ones included."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
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
from kombu.utils.scheduling import sorted_cycle
from redis import Redis

from lookalike.redis_keys import SEARCH, SYNC, Keys
from worker.delivery.celery_overrides import BufferedEventsConsumer, transport_options
from worker.delivery.held_queues import UnpausedQueues

KEYS = Keys("test")
OPTIONS = transport_options(KEYS, "holder", visibility_timeout_s=1.0)
MEMBERS = [
    *(("consumer", name) for name in ("on_send_event_buffered", "shutdown", "hub", "event_dispatcher")),
    *(("consumer", name) for name in ("apply_eta_task", "timer", "ensure_connected")),
    *(("consumer", name) for name in ("task_consumer", "pool", "app")),
    *(("qos", name) for name in ("can_consume", "ack", "reject", "restore_at_shutdown", "_quick_ack")),
    *(("state", name) for name in ("active_requests", "reserved_requests", "scheduled_requests")),
    *(("request", name) for name in ("acknowledged", "request_dict", "message", "send_event", "argsrepr")),
    ("message", "delivery_tag"),
    *(("dispatcher", name) for name in ("flush", "send")),
    *(("app", name) for name in ("events_cls", "events")),
    ("events", "dispatcher_cls"),
    ("pool", "num_processes"),
    ("hub", "call_later"),
    *(("channel", name) for name in ("_queue_cycle", "active_queues", *OPTIONS)),
    *(("cycle", name) for name in ("items", "update", "consume", "rotate")),
    *(("timer", name) for name in ("call_after", "call_repeatedly")),
]


@dataclass(eq=False)
class Held:
    """As much of Celery's request as its state reads."""

    name: str
    id: str = "1"


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
            "app": app,
            "events": app.events,
            "pool": BasePool,
            "cycle": sorted_cycle(),  # type: ignore[no-untyped-call]
            "timer": hub.timer,
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


def test_a_countdown_that_ends_within_a_pause_lasts_until_its_end_except_of_a_search() -> None:
    begun: list[str] = []
    hub: Any = import_module("kombu.asynchronous").Hub()
    pool, controller = SimpleNamespace(num_processes=1, is_green=False), SimpleNamespace(use_eventloop=True)
    consumer = BufferedEventsConsumer(
        lambda task: begun.append(task.name),
        app=Celery(),
        pool=pool,
        controller=controller,
        hub=hub,
        timer=hub.timer,
    )
    consumer.qos = SimpleNamespace(decrement_eventually=lambda: None)
    is_paused = True
    consumer.is_paused = lambda: is_paused
    sync, search = (Held(name) for name in (SYNC, SEARCH))

    consumer.apply_eta_task(sync)
    consumer.apply_eta_task(search)
    assert begun == [SEARCH]
    (again,) = hub.timer.queue
    is_paused = False
    again.entry()

    assert begun == [SEARCH, SYNC]
    hub.close()


def test_within_a_pause_only_the_other_queues_are_asked_for() -> None:
    is_paused = False
    queues = UnpausedQueues([KEYS.ingest], frozenset((KEYS.ingest, KEYS.rescan)), lambda: is_paused)
    queues.update([KEYS.search, KEYS.rescan, KEYS.ingest])  # type: ignore[no-untyped-call]

    assert queues.consume(3) == [KEYS.ingest, KEYS.rescan, KEYS.search]
    is_paused = True
    assert queues.consume(3) == [KEYS.search]
