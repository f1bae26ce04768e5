"""Connections to the broker: the Celery app of a client, and plain Redis. Nothing connects on import."""

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from celery import Celery
from redis import Redis

from lookalike.broker.celery_overrides import CLIENT_BACKEND, CLIENT_TRANSPORT, IsolatedCelery
from lookalike.errors import Misconfigured, NotRunning
from lookalike.settings import Settings

# Results are fetched at once or never; they are kept for an hour for people who look at them in Flower.
RESULT_EXPIRES_S = 3600
CONNECT_S = 5.0
# Of a client, to send and as many to fetch, however many threads it serves: each is used for a millisecond at a time.
CLIENT_CONNECTIONS = 4
# Values of `ssl_cert_reqs` in a URL, as redis-py has them.
CERT_REQS = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


def broker_url(settings: Settings) -> str:
    """URL of the broker, password included. Raises NotRunning."""
    if settings.redis_url is None:
        raise NotRunning(
            "No running lookalike was found. Start one with `lookalike up FOLDER`, or name its broker in REDIS_URL."
        )
    return settings.redis_url.get_secret_value()


def redis_of(settings: Settings, **options: Any) -> Redis:
    """A Redis client; the given options of redis-py override ours. Connects when it is first used."""
    ours = {"socket_connect_timeout": CONNECT_S, "socket_timeout": 30.0, "health_check_interval": 30}
    return Redis.from_url(broker_url(settings), **{**ours, **options})


def celery_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that accepts JSON only and does not become the process's current app."""
    url, tls = without_tls(broker_url(settings))
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
        result_backend_transport_options={"retry_policy": {"timeout": CONNECT_S}},
        redis_socket_connect_timeout=CONNECT_S,
        broker_transport_options={"socket_connect_timeout": CONNECT_S},
        task_default_queue=settings.keys.ingest,
        timezone="UTC",
    )
    return app


def client_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that sends tasks and fetches results; its threads share one connection for results."""
    app = celery_app(settings, name=name)
    app.backend_cls = f"{CLIENT_BACKEND}+{app.backend_cls}"
    app.conf.broker_transport = CLIENT_TRANSPORT
    app.conf.result_backend_thread_safe = True
    app.conf.broker_pool_limit = CLIENT_CONNECTIONS
    # The subscription has one for itself.
    app.conf.redis_max_connections = CLIENT_CONNECTIONS + 1
    return app


def without_tls(url: str) -> tuple[str, dict[str, Any] | None]:
    """The URL without its TLS options, and those as redis-py's SSLConnection takes them; None without TLS.

    As with redis-py itself a certificate is checked unless `?ssl_cert_reqs=none` says otherwise. Raises Misconfigured.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url, None
    options = dict(parse_qsl(parts.query))
    tls: dict[str, Any] = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")}
    checked = str(tls.get("ssl_cert_reqs", "required")).lower().removeprefix("cert_")
    if checked not in CERT_REQS:
        raise Misconfigured(f"REDIS_URL: ssl_cert_reqs is {checked!r} and must be one of {', '.join(CERT_REQS)}.")
    tls["ssl_cert_reqs"] = CERT_REQS[checked]
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() not in ("0", "false", "no")
    return urlunsplit(parts._replace(query=urlencode(options))), tls


def without_secret(url: str) -> str:
    """The URL without user, password and options, fit for screens and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
