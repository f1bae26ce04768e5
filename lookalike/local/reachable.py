"""Whether a broker or a store answers at a URL, asked once or with patience. Changes nothing there."""

import os
import time
from collections.abc import Callable
from http import HTTPStatus

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from lookalike.broker import without_secret
from lookalike.errors import LookalikeError, Misconfigured, Unreachable
from lookalike.store_access import store_access

ANSWER_S = 2.0
LOOK_AGAIN_S = 0.1


def require_broker(url: str, *, patience_s: float) -> None:
    """Returns when the broker answers. Raises Unreachable after `patience_s`, Misconfigured if waiting cannot help."""
    _insist(lambda: ask_broker(url), patience_s)


def require_store(url: str, key: str | None, *, patience_s: float) -> None:
    """Returns when the store answers. Raises Unreachable after `patience_s`, Misconfigured if waiting cannot help."""
    _insist(lambda: ask_store(url, key), patience_s)


def ask_broker(url: str) -> None:
    """Pings the broker once. Raises Unreachable, Misconfigured."""
    try:
        redis = Redis.from_url(url, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
    except ValueError:
        raise Misconfigured("REDIS_URL is no address of a broker: write redis://HOST:PORT/0.") from None
    shown = without_secret(url)
    try:
        redis.ping()
    except AuthenticationError as error:
        raise Misconfigured(f"The broker at {shown} refuses the password ({error}): correct REDIS_URL.") from error
    except (RedisError, OSError) as error:
        raise Unreachable(
            f"The broker at {shown} does not answer ({_short(error)}): start it, or unset REDIS_URL to get one here."
        ) from error
    finally:
        redis.close()


def ask_store(url: str, key: str | None) -> None:
    """Asks the store once, for something that needs the key if it wants one. Raises Unreachable, Misconfigured."""
    # Of qdrant-client; a client that only searches has neither and asks no store.
    import httpx  # noqa: PLC0415

    access = store_access(url, os.environ)
    shown = without_secret(access.url)
    try:
        with httpx.Client(timeout=ANSWER_S, **access.http_arguments()) as client:
            answer = client.get(access.url + "/collections", headers={} if key is None else {"api-key": key})
    except (httpx.HTTPError, OSError, ValueError) as error:
        reason = _short(error)
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
    """Asks a store that was started here. Raises Unreachable, and Misconfigured if somebody else's answers there.

    Ours takes its key and nothing else; a store without one would take any.
    """
    ask_store(url, key)
    try:
        ask_store(url, None)
    except Misconfigured:
        return
    raise Misconfigured(f"The store at {url} is not ours: it asks for no key.")


def _insist(ask: Callable[[], None], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while True:
        try:
            ask()
        except Misconfigured:
            raise
        except LookalikeError:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_AGAIN_S)
        else:
            return


def _short(error: BaseException) -> str:
    """What the system said: libraries wrap it in sentences with numbers and the address once more."""
    reason: BaseException = error
    while not (isinstance(reason, OSError) and reason.strerror) and (inner := reason.__cause__ or reason.__context__):
        reason = inner
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason).rstrip(".")
