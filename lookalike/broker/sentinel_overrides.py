"""The client's result backend and transport for a broker behind sentinels. Loaded by name, see broker/app.py."""

from typing import Any

from celery.backends.redis import SentinelBackend
from kombu.transport.redis import SentinelChannel, SentinelTransport

from lookalike.broker import celery_overrides
from lookalike.broker.address import SENTINEL_PORT


class Answers(celery_overrides.Answers, SentinelBackend):  # type: ignore[misc]
    """Results at the server that the sentinels name."""

    def _get_pool(self, **params: Any) -> Any:
        """Celery's pool that asks the sentinels for each new connection."""
        return SentinelBackend._get_pool(self, **params)  # noqa: SLF001


class Channel(celery_overrides.Channel, SentinelChannel):
    """A connection to the server that the sentinels name, which a child of fork() leaves alone."""


class Transport(SentinelTransport):
    """Redis behind sentinels, by that channel."""

    default_port = SENTINEL_PORT
    Channel = Channel
