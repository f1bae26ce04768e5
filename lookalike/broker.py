"""Connections to the broker: the Celery app of a client, and plain Redis. Nothing connects on import."""

import ssl
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from celery import Celery
from redis import Redis

from lookalike.errors import Misconfigured, NotRunning
from lookalike.settings import Settings

# Answers are fetched at once or never; an hour is for people who look at them in Flower.
RESULT_EXPIRES_S = 3600
CONNECT_S = 5.0
# What a URL may say of a certificate, as redis-py has it.
CHECKED = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


def broker_url(settings: Settings) -> str:
    """URL of the broker, password included. Raises NotRunning."""
    if settings.redis_url is None:
        raise NotRunning(
            "No running lookalike was found. Start one with `lookalike up FOLDER`, or name its broker in REDIS_URL."
        )
    return settings.redis_url.get_secret_value()


def redis_of(settings: Settings, **options: Any) -> Redis:
    """A Redis client with these options of redis-py before ours; connects when it is first used."""
    ours = {"socket_connect_timeout": CONNECT_S, "socket_timeout": 30.0, "health_check_interval": 30}
    return Redis.from_url(broker_url(settings), **{**ours, **options})


def celery_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that speaks JSON only and leaves the caller's current app alone."""
    url, tls = without_tls(broker_url(settings))
    app = Celery(name, set_as_current=False)
    # Not as `broker` and `backend`: those yield to CELERY_BROKER_URL and CELERY_RESULT_BACKEND, which in the
    # process of somebody who has a Celery app of their own mean that app.
    app.backend_cls = url
    app.conf.update(
        # For Celery and Flower TLS is no matter of the URL: both want these, or refuse or forget it.
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
        # A result nobody can fetch because the broker went away must not hang its sender for long.
        result_backend_transport_options={"retry_policy": {"timeout": CONNECT_S}},
        redis_socket_connect_timeout=CONNECT_S,
        broker_transport_options={"socket_connect_timeout": CONNECT_S},
        task_default_queue=settings.names.ingest,
        timezone="UTC",
    )
    return app


def client_app(settings: Settings, *, name: str = "lookalike") -> Celery:
    """A Celery app that sends and asks for answers, whose threads share one connection for them."""
    app = celery_app(settings, name=name)
    app.backend_cls = f"lookalike.answers:Answers+{app.backend_cls}"
    app.conf.result_backend_thread_safe = True
    return app


def without_tls(url: str) -> tuple[str, dict[str, Any] | None]:
    """A URL and, apart from it, what it says of TLS, as redis-py's SSLConnection takes it; None without TLS.

    As with redis-py itself a certificate is checked unless `?ssl_cert_reqs=none` says otherwise. Raises Misconfigured.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url, None
    said = dict(parse_qsl(parts.query))
    tls: dict[str, Any] = {name: said.pop(name) for name in list(said) if name.startswith("ssl_")}
    checked = str(tls.get("ssl_cert_reqs", "required")).lower().removeprefix("cert_")
    if checked not in CHECKED:
        raise Misconfigured(f"REDIS_URL: ssl_cert_reqs is {checked!r} and must be one of {', '.join(CHECKED)}.")
    tls["ssl_cert_reqs"] = CHECKED[checked]
    if "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() not in ("0", "false", "no")
    return urlunsplit(parts._replace(query=urlencode(said))), tls


def without_secret(url: str) -> str:
    """The URL without user, password and options, fit for screens and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
