"""What `status` counts as queued: files, wherever their messages are."""

import json

import pytest
from redis import Redis

from lookalike.broker.telemetry import MAX_MESSAGES_READ, Telemetry
from lookalike.messages import ImageByPath, SearchExample, SearchMessage, SyncMessage
from lookalike.redis_keys import SEARCH, SYNC, Keys
from lookalike.settings import Settings, read_settings
from tests.support.sending import send

KEYS = Keys("lookalike")


@pytest.fixture
def settings(url: str) -> Settings:
    return read_settings(redis_url=url)


def send_sync(settings: Settings, files: int, *, queue: str, gone: int = 0) -> None:
    message = SyncMessage(paths=[f"{at}.png" for at in range(files)], gone=[f"gone-{at}" for at in range(gone)])
    send(settings, SYNC, message, queue=queue)


def take(redis: Redis, queue: str, who: str) -> None:
    """As Celery's transport does when a worker takes a message."""
    message = json.loads(redis.rpop(queue))  # type: ignore[arg-type]
    redis.sadd(KEYS.holders, who)
    tag = message["properties"]["delivery_tag"]
    redis.hset(KEYS.unacked(who), tag, json.dumps([message, queue, queue]))


def test_photos_are_counted_that_wait_and_that_any_worker_holds(settings: Settings, redis: Redis) -> None:
    telemetry = Telemetry(redis, KEYS)
    send_sync(settings, 64, queue=KEYS.rescan)
    send_sync(settings, 3, gone=2, queue=KEYS.ingest)
    assert (telemetry.queued(), telemetry.in_progress()) == (69, 0)

    take(redis, KEYS.rescan, "one")
    take(redis, KEYS.ingest, "two")

    assert (telemetry.waiting(), telemetry.queued(), telemetry.in_progress()) == (0, 69, 69)


def test_searches_are_no_files_that_are_on_their_way(settings: Settings, redis: Redis) -> None:
    send(settings, SEARCH, SearchMessage(examples=[SearchExample(image=ImageByPath(path="a.png"))]), queue=KEYS.search)
    take(redis, KEYS.search, "one")

    assert Telemetry(redis, KEYS).queued() == 0


@pytest.mark.parametrize("strange", [b"no json", b"[]", b'{"body": "!"}', json.dumps({"body": "W10="}).encode()])
def test_a_message_that_nobody_understands_is_something_that_waits(redis: Redis, strange: bytes) -> None:
    redis.rpush(KEYS.ingest, strange)
    assert Telemetry(redis, KEYS).queued() == 1

    redis.delete(KEYS.ingest)
    redis.sadd(KEYS.holders, "one")
    redis.hset(KEYS.unacked("one"), "tag", strange)
    assert Telemetry(redis, KEYS).queued() == 1


def test_a_long_queue_is_estimated_from_what_is_taken_next(settings: Settings, redis: Redis) -> None:
    send_sync(settings, 10, queue=KEYS.ingest)
    (message,) = redis.lrange(KEYS.ingest, 0, -1)
    redis.rpush(KEYS.ingest, *[message] * (5 * MAX_MESSAGES_READ - 1))

    assert Telemetry(redis, KEYS).queued() == 50 * MAX_MESSAGES_READ
