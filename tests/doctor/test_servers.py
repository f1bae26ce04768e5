"""What doctor finds of broker, store and parts: real ones, some of them broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from lookalike.broker.telemetry import Telemetry
from lookalike.doctor.servers import check_broker, check_parts, check_store
from lookalike.redis_keys import Keys
from lookalike.settings import Settings
from tests.support.edge import edge_process
from tests.support.valkey import valkey_process


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with valkey_process(tmp_path) as url:
        yield url


def test_a_broker_answers_or_the_sentence_says_why_not(url: str) -> None:
    assert check_broker(Settings(redis_url=SecretStr(url))).state == "ok"
    with Redis.from_url(url) as redis:
        redis.config_set("maxmemory", "100mb")
        redis.config_set("maxmemory-policy", "allkeys-lru")
        forgetful = check_broker(Settings(redis_url=SecretStr(url)))
        redis.config_set("requirepass", "secret")
        locked = check_broker(Settings(redis_url=SecretStr(url)))

    assert (forgetful.state, "noeviction" in (forgetful.remedy or "")) == ("warning", True)
    assert (locked.state, "password" in (locked.remedy or "")) == ("broken", True)


def test_a_store_wants_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT__SERVICE__API_KEY", "right")
    with edge_process(tmp_path / "store") as edge:
        right = check_store(Settings(qdrant_url=edge.url, qdrant_api_key=SecretStr("right")), None)
        wrong = check_store(Settings(qdrant_url=edge.url, qdrant_api_key=SecretStr("wrong")), None)

    assert right.state == "ok"
    assert (wrong.state, "QDRANT_API_KEY" in (wrong.remedy or "")) == ("broken", True)


def test_parts_that_are_silent_are_named(url: str) -> None:
    settings = Settings(redis_url=SecretStr(url), data=Path("/nowhere"))
    with Redis.from_url(url) as redis:
        Telemetry(redis, Keys("lookalike")).heartbeat("producer", "1")

    found = check_parts(settings)

    assert (found.state, found.found) == ("broken", "silent: store, ingest, search, duplicates")
