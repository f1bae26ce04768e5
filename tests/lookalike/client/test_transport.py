"""What a message says besides its contents."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from lookalike.broker.app import client_app
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.messages import ImageByPath, SearchExample, SearchMessage
from lookalike.settings import read_settings
from tests.support.valkey import valkey_process


def test_a_search_expires_by_the_clock_of_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with valkey_process(tmp_path) as url, Redis.from_url(url) as redis:
        settings = read_settings(redis_url=url)
        app = client_app(settings)
        # As Celery would have it on a machine whose clock is an hour slow.
        monkeypatch.setattr(app, "now", lambda: datetime.now(UTC) - timedelta(hours=1))

        transport = CeleryTransport(app, settings.keys)
        message = SearchMessage(examples=[SearchExample(image=ImageByPath(path="a.jpg"))])
        transport.send(message, expires_s=30.0)
        transport.close()

        (message,) = redis.lrange(settings.keys.search, 0, -1)
        expires = datetime.fromisoformat(json.loads(message)["headers"]["expires"])
        assert timedelta(0) < expires - datetime.now(UTC) <= timedelta(seconds=30)
