"""Notifications of a bucket, as MinIO and AWS write them, and the list in Redis in which they arrive."""

import json
import threading
from collections.abc import Iterator

import pytest
from redis import Redis

from lookalike.library.address import BucketAddress
from producer.shutdown import Stopped
from producer.watching.bucket_events import BucketEvents
from producer.watching.bucket_messages import UNREADABLE, events_of
from producer.watching.clock_jumps import ClockJumps
from producer.watching.events import Gone, Touched
from producer.watching.watcher import Inbox
from tests.support.waiting import wait_until

ROOT = BucketAddress("s3://photos/2026")
KEY = "bucket-events"


def record(kind: str, key: str, bucket: str = "photos") -> dict[str, object]:
    return {"eventVersion": "2.0", "eventName": kind, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


def of_minio(*records: dict[str, object]) -> bytes:
    """As its Redis target writes it with `format=access`."""
    return json.dumps([{"Event": [*records], "EventTime": "2026-11-30T05:00:00Z"}]).encode()


def test_what_was_written_is_touched_and_what_was_deleted_is_gone() -> None:
    written = of_minio(record("s3:ObjectCreated:Put", "2026/a.jpg"))
    deleted = of_minio(record("s3:ObjectRemoved:Delete", "2026/b.jpg"))

    assert events_of(written, ROOT) == [Touched("a.jpg", closed=True)]
    assert events_of(deleted, ROOT) == [Gone("b.jpg")]


def test_records_of_aws_are_understood_as_well() -> None:
    message = {
        "Records": [record("ObjectCreated:Copy", "2026/a.jpg"), record("LifecycleExpiration:Delete", "2026/b.jpg")]
    }

    assert events_of(json.dumps(message).encode(), ROOT) == [Touched("a.jpg", closed=True), Gone("b.jpg")]


def test_keys_are_decoded() -> None:
    message = of_minio(record("s3:ObjectCreated:Put", "2026/my+holiday/caf%C3%A9%2B1.jpg"))

    assert events_of(message, ROOT) == [Touched("my holiday/café+1.jpg", closed=True)]


@pytest.mark.parametrize(
    "one",
    [
        record("s3:ObjectCreated:Put", "2025/a.jpg"),
        record("s3:ObjectCreated:Put", "2026-too/a.jpg"),
        record("s3:ObjectCreated:Put", "2026/a.jpg", bucket="others"),
        record("s3:ObjectCreated:Put", "2026/folder/"),
        record("s3:ObjectCreated:Put", "2026/../a.jpg"),
        record("s3:ObjectAccessed:Get", "2026/a.jpg"),
    ],
)
def test_what_is_not_of_the_library_is_no_event(one: dict[str, object]) -> None:
    assert events_of(of_minio(one), ROOT) == []


def test_the_message_by_which_notifications_are_tried_out_asks_for_a_scan() -> None:
    assert events_of(b'{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}', ROOT) == [UNREADABLE]


@pytest.mark.parametrize("message", [b"", b"no JSON", b"7", b'[{"Event": [{}]}]', b"[[]]", b'{"Records": 7}'])
def test_what_is_not_understood_asks_for_a_scan(message: bytes) -> None:
    assert events_of(message, ROOT) == [UNREADABLE]


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as client:
        client.delete(KEY)
        yield client
        client.delete(KEY)


def running(redis: Redis, inbox: Inbox, stop: threading.Event, **more: object) -> threading.Thread:
    events = BucketEvents(ROOT, redis, inbox, events_key=KEY, request_scan=lambda _: None, stop=stop, **more)  # type: ignore[arg-type]

    def run() -> None:
        with pytest.raises(Stopped):
            events.run()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_notifications_are_taken_from_the_list_in_their_order(redis: Redis) -> None:
    inbox, stop = Inbox(), threading.Event()
    names = [f"{number}.jpg" for number in range(30)]
    redis.rpush(KEY, *(of_minio(record("s3:ObjectCreated:Put", f"2026/{name}")) for name in names))

    thread = running(redis, inbox, stop)
    wait_until(lambda: len(inbox) == 30)
    redis.rpush(KEY, of_minio(record("s3:ObjectRemoved:Delete", "2026/last.jpg")))
    wait_until(lambda: len(inbox) == 31)
    stop.set()
    thread.join()

    assert [inbox.next_event(0) for _ in range(31)] == [
        *(Touched(name, closed=True) for name in names),
        Gone("last.jpg"),
    ]
    assert redis.llen(KEY) == 0


def test_a_key_of_another_type_and_a_broker_that_is_away_end_nothing(redis: Redis) -> None:
    inbox, stop = Inbox(), threading.Event()
    redis.set(KEY, "no list")

    thread = running(redis, inbox, stop)
    redis.delete(KEY)
    redis.rpush(KEY, of_minio(record("s3:ObjectCreated:Put", "2026/a.jpg")))
    wait_until(lambda: len(inbox) == 1)
    stop.set()
    thread.join()


def test_a_clock_that_was_set_asks_for_a_scan_without_notifications_too(redis: Redis) -> None:
    reasons: list[str] = []
    stop = threading.Event()
    times = iter([0.0, 1000.0])

    def request(reason: str) -> None:
        reasons.append(reason)
        stop.set()

    clock = ClockJumps(lambda: 0.0, lambda: 0.0, lambda: next(times))
    events = BucketEvents(ROOT, redis, Inbox(), events_key=None, request_scan=request, stop=stop, clock=clock)
    with pytest.raises(Stopped):
        events.run()

    assert len(reasons) == 1
    assert events.watching == "scans"
