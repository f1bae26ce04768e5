"""Whether a broker or a store answers at a URL, asked once or until it does. Changes nothing there."""

import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from tenacity import Retrying, retry_if_exception_type, retry_if_not_exception_type, stop_after_delay, wait_fixed

from lookalike.broker.address import BrokerAddress, without_secret
from lookalike.errors import LookalikeError, Misconfigured, Unreachable
from lookalike.system.store_access import store_access

ANSWER_S = 2.0
POLL_S = 0.1


def require_broker(url: str, *, patience_s: float) -> None:
    """Returns when the broker answers. Raises Unreachable after `patience_s`, Misconfigured if waiting cannot help."""
    _retry(lambda: ask_broker(url), patience_s)


def require_store(url: str, key: str | None, *, patience_s: float, ca: Path | None = None) -> None:
    """Returns when the store answers. Raises Unreachable after `patience_s`, Misconfigured if waiting cannot help."""
    _retry(lambda: ask_store(url, key, ca), patience_s)


def ask_broker(url: str) -> None:
    """Pings the broker once. Raises Unreachable, Misconfigured."""
    try:
        redis = BrokerAddress.parse(url).redis(socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
    except ValueError:
        raise Misconfigured("REDIS_URL is no address of a broker: write redis://HOST:PORT/0.") from None
    shown = without_secret(url)
    try:
        redis.ping()
        if _is_cluster(redis):
            raise Misconfigured(
                f"The broker at {shown} is one of a cluster, which Celery's queues cannot be in: name a single server, "
                "or sentinels (REDIS_URL=sentinel://HOST:PORT,HOST:PORT/0?master=NAME)."
            )
    except AuthenticationError as error:
        raise Misconfigured(f"The broker at {shown} refuses the password ({error}): correct REDIS_URL.") from error
    except (RedisError, OSError) as error:
        raise Unreachable(
            f"The broker at {shown} does not answer ({_reason(error)}): start it, or unset REDIS_URL to get one here."
        ) from error
    finally:
        redis.close()


def _is_cluster(redis: Redis) -> bool:
    try:
        return bool(redis.info("cluster").get("cluster_enabled"))
    except ResponseError:
        # A user that may not ask.
        return False


def ask_store(url: str, key: str | None, ca: Path | None = None) -> None:
    """Sends the store one request that needs its key, if it has one. Raises Unreachable, Misconfigured."""
    # Of an extra; a client alone has no httpx and sends the store nothing.
    import httpx  # noqa: PLC0415

    access = store_access(url, os.environ, ca)
    shown = without_secret(access.url)
    try:
        with httpx.Client(timeout=ANSWER_S, **access.http_arguments()) as client:
            answer = client.get(access.url + "/collections", headers={} if key is None else {"api-key": key})
    except (httpx.HTTPError, OSError, ValueError) as error:
        reason = _reason(error)
        if access.proxy is not None:
            reason += f", through the proxy {without_secret(access.proxy)} that the environment names"
    else:
        if answer.is_success:
            return
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Misconfigured(f"The store at {shown} refuses the key: set QDRANT_API_KEY to the right one.")
        reason = f"HTTP {answer.status_code}"
    raise Unreachable(
        f"The store at {shown} does not answer ({reason}): start it, or unset QDRANT_URL to get one here."
    )


def ask_own_store(url: str, key: str) -> None:
    """Asks a store that was started here. Raises Unreachable, and Misconfigured if another server answers there.

    Our store accepts its own key only; a store without a key would accept any.
    """
    ask_store(url, key)
    try:
        ask_store(url, None)
    except Misconfigured:
        return
    raise Misconfigured(f"The store at {url} is not ours: it asks for no key.")


def ask_gallery(url: str) -> None:
    """Asks the gallery once whether it is alive. Raises Unreachable."""
    import httpx  # noqa: PLC0415 (of an extra)

    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
            client.get(f"{url}/healthz").raise_for_status()
    except httpx.HTTPError as error:
        reason = _reason(error)
        raise Unreachable(f"The gallery at {url} does not answer ({reason}): see `lookalike logs web`.") from error


def _retry(ask: Callable[[], None], patience_s: float) -> None:
    Retrying(
        retry=retry_if_exception_type(LookalikeError) & retry_if_not_exception_type(Misconfigured),
        stop=stop_after_delay(patience_s),
        wait=wait_fixed(POLL_S),
        reraise=True,
    )(ask)


def _reason(error: BaseException) -> str:
    """The message of the operating system, without the sentences that libraries wrap it in."""
    reason: BaseException = error
    while not (isinstance(reason, OSError) and reason.strerror) and (inner := reason.__cause__ or reason.__context__):
        reason = inner
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason).rstrip(".")
