"""The servers and parts of a system: whether each answers, and whether the broker keeps what it is given."""

from contextlib import closing
from importlib.util import find_spec

from redis.exceptions import RedisError

from lookalike.broker.address import without_secret
from lookalike.broker.app import redis_of
from lookalike.client import Client
from lookalike.doctor.result import CheckResult, broken, ok, warning
from lookalike.errors import LookalikeError
from lookalike.local.servers.reachable import ask_broker, ask_store
from lookalike.settings import Settings
from lookalike.system.discovery import RunningSystem

NOT_YET = "none runs; `lookalike up FOLDER` starts one"


def check_broker(settings: Settings) -> CheckResult:
    """Whether the broker answers, takes our password, and never throws messages away."""
    if settings.redis_url is None:
        return ok("broker", NOT_YET)
    url = settings.redis_url.get_secret_value()
    shown = without_secret(url)
    try:
        ask_broker(url)
    except LookalikeError as error:
        return broken("broker", shown, str(error))
    try:
        with closing(redis_of(settings)) as redis:
            server, memory = redis.info("server"), redis.info("memory")
    except RedisError as error:
        return warning("broker", shown, f"It answers, but does not tell of itself ({error}): allow INFO to its user.")
    found = f"{shown}, {server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}"
    policy = memory["maxmemory_policy"]
    if memory["maxmemory"] and policy != "noeviction":
        return warning(
            "broker", f"{found}, maxmemory-policy {policy}",
            "It may throw away tasks when it is full: set maxmemory-policy noeviction.",
        )  # fmt: skip
    return ok("broker", found)


def check_store(settings: Settings, running: RunningSystem | None) -> CheckResult:
    """Whether the store answers and takes our key."""
    if settings.qdrant_url is None:
        return ok(
            "store", NOT_YET if settings.redis_url is None else "known to the workers alone (QDRANT_URL is unset)"
        )
    if find_spec("httpx") is None:
        return ok("store", f"{without_secret(settings.qdrant_url)}, not asked: a client needs no store")
    key = None if settings.qdrant_api_key is None else settings.qdrant_api_key.get_secret_value()
    if key is None and running is not None and running.qdrant_url == settings.qdrant_url:
        key = running.qdrant_api_key
    try:
        ask_store(settings.qdrant_url, key, settings.qdrant_ca)
    except LookalikeError as error:
        return broken("store", without_secret(settings.qdrant_url), str(error))
    return ok("store", without_secret(settings.qdrant_url))


def check_parts(settings: Settings) -> CheckResult:
    """Which parts of the system are alive."""
    try:
        status = Client(settings).status()
    except LookalikeError as error:
        return broken("parts", "the system does not answer", str(error))
    silent = [part for part, state in status.parts.items() if state != "up"]
    if silent:
        return broken(
            "parts", f"silent: {', '.join(silent)}",
            f"Read `lookalike logs {silent[-1]}`; a part that does not run anywhere is started by `lookalike up`.",
        )  # fmt: skip
    if status.warning:
        return warning("parts", "all up", status.warning)
    return ok("parts", f"all up: {', '.join(status.parts)}")
