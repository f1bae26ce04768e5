"""The address of the broker in REDIS_URL, taken apart for redis-py and for Celery. Nothing connects here.

redis://[user:password@]host[:port]/db         rediss:// with TLS, whose options are in the query: ssl_ca_certs, ...
unix://[user:password@]/path?db=n
sentinel://[user:password@]host[:port],host[:port],.../db?master=NAME
    the sentinels, which name the server to use; sentinel_username and sentinel_password are for them alone
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis import Redis
from redis.sentinel import Sentinel

from lookalike.errors import Misconfigured

SENTINEL_PORT = 26379
# Values of `ssl_cert_reqs` in a URL, as redis-py has them.
CERT_REQS = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


@dataclass(frozen=True)
class BrokerAddress:
    """One broker. `url` is as redis-py takes it, `celery_url` as Celery does, which wants the TLS options in `tls`."""

    url: str
    celery_url: str
    tls: Mapping[str, Any] | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""
    sentinel_options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address of this URL. Raises Misconfigured."""
        if urlsplit(url).scheme == "sentinel":
            return cls._of_sentinels(url)
        without, tls = _without_tls(url)
        return cls(url, without, tls)

    @classmethod
    def _of_sentinels(cls, url: str) -> Self:
        parts = urlsplit(url)
        user, at, hosts = parts.netloc.rpartition("@")
        options = dict(parse_qsl(parts.query))
        own = {
            name: options.pop(f"sentinel_{name}") for name in ("username", "password") if f"sentinel_{name}" in options
        }
        master = options.pop("master", "")
        if not master or options:
            raise Misconfigured(
                "REDIS_URL: write sentinel://HOST:PORT,HOST:PORT/0?master=NAME with the name that the sentinels know; "
                "sentinel_username and sentinel_password may follow."
            )
        named = [urlsplit(f"//{host}") for host in hosts.split(",")]
        sentinels = tuple((each.hostname or "", each.port or SENTINEL_PORT) for each in named)
        shown = [f"[{host}]" if ":" in host else host for host, _ in sentinels]
        each = [
            f"sentinel://{user}{at}{host}:{port}{parts.path}" for host, (_, port) in zip(shown, sentinels, strict=True)
        ]
        return cls(url, ";".join(each), sentinels=sentinels, master=master, sentinel_options=own)

    @property
    def transport_options(self) -> dict[str, Any]:
        """What Celery's transport and result backend need to know besides the URL."""
        return {"master_name": self.master, "sentinel_kwargs": dict(self.sentinel_options)} if self.sentinels else {}

    def redis(self, **options: Any) -> Redis:
        """A client with these options of redis-py; behind sentinels one that follows them to the server of the hour.

        Connects when it is first used.
        """
        if not self.sentinels:
            return Redis.from_url(self.url, **options)
        parts = urlsplit(self.celery_url.partition(";")[0])
        # As redis-py reads an address: percent-encoded, and the database in the path.
        known: dict[str, Any] = Redis.from_url(
            urlunsplit(parts._replace(scheme="redis"))
        ).connection_pool.connection_kwargs
        kept = {name: known[name] for name in ("username", "password", "db") if name in known}
        asked = {name: value for name, value in options.items() if name.startswith("socket_")}
        sentinel: Any = Sentinel([*self.sentinels], sentinel_kwargs={**asked, **self.sentinel_options})  # type: ignore[no-untyped-call]
        client: Redis = sentinel.master_for(self.master, redis_class=Redis, **kept, **options)
        return client


def without_secret(url: str) -> str:
    """The URL without its user, password and options, fit for screens and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def _without_tls(url: str) -> tuple[str, dict[str, Any] | None]:
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
