"""Connections to the broker: the Celery app of a client, and plain Redis. Nothing connects on import."""

from typing import Any

from celery import Celery
from redis import Redis

from lookalike.broker.address import BrokerAddress
from lookalike.broker.celery_overrides import (
    CLIENT_BACKEND,
    CLIENT_TRANSPORT,
    SENTINEL_BACKEND,
    SENTINEL_TRANSPORT,
    IsolatedCelery,
)
from lookalike.errors import NotRunning
from lookalike.settings import Settings

# Results are fetched at once or never; they are kept for an hour for people who look at them in Flower.
RESULT_EXPIRES_S = 3600
CONNECT_S = 5.0
# Of a client, to send and as many to fetch, however many threads it serves: each is used for a millisecond at a time.
CLIENT_CONNECTIONS = 4


def broker_url(settings: Settings) -> str:
    """URL of the broker, password included. Raises NotRunning."""
    if settings.redis_url is None:
        raise NotRunning(
            "No running lookalike was found. Start one with `lookalike up FOLDER`, or name its broker in REDIS_URL."
        )
    return settings.redis_url.get_secret_value()


def broker_address(settings: Settings) -> BrokerAddress:
    """The address of the broker. Raises NotRunning."""
    return BrokerAddress.parse(broker_url(settings))


def redis_of(settings: Settings, **options: Any) -> Redis:
    """A Redis client; the given options of redis-py override ours. Connects when it is first used."""
    ours = {"socket_connect_timeout": CONNECT_S, "socket_timeout": 30.0, "health_check_interval": 30}
    return broker_address(settings).redis(**{**ours, **options})


def celery_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that accepts JSON only and does not become the process's current app."""
    address = broker_address(settings)
    url, tls = address.celery_url, None if address.tls is None else dict(address.tls)
    app = IsolatedCelery(name, url)
    app.conf.update(
        # Celery and Flower want TLS options here: in the URL they refuse or ignore them.
        broker_use_ssl=tls,
        redis_backend_use_ssl=tls,
        broker_read_url=url,
        broker_write_url=url,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        result_expires=RESULT_EXPIRES_S,
        broker_connection_retry_on_startup=True,
        # A result that cannot be fetched because the broker is down must not block its sender for long.
        result_backend_transport_options={"retry_policy": {"timeout": CONNECT_S}, **address.transport_options},
        redis_socket_connect_timeout=CONNECT_S,
        broker_transport_options={"socket_connect_timeout": CONNECT_S, **address.transport_options},
        task_default_queue=settings.keys.ingest,
        timezone="UTC",
    )
    return app


def client_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that sends tasks and fetches results; its threads share one connection for results."""
    app = celery_app(settings, name=name)
    sentinels = broker_address(settings).sentinels
    app.backend_cls = f"{SENTINEL_BACKEND if sentinels else CLIENT_BACKEND}+{app.backend_cls}"
    app.conf.broker_transport = SENTINEL_TRANSPORT if sentinels else CLIENT_TRANSPORT
    app.conf.result_backend_thread_safe = True
    app.conf.broker_pool_limit = CLIENT_CONNECTIONS
    # The subscription has one for itself. Behind sentinels a thread that found none free would not wait for one.
    app.conf.redis_max_connections = None if sentinels else CLIENT_CONNECTIONS + 1
    return app
