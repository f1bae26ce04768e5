"""Whether broker, store and gallery run with the configuration that `up` wrote. Checked after every start.

A broker that missed its configuration asks for no password, listens on every address and persists nothing, and still
answers every job. So the server is asked; the file that was written for it proves nothing.
"""

import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from lookalike.broker.address import without_secret
from lookalike.errors import Misconfigured, Unreachable
from lookalike.local.servers.reachable import ANSWER_S
from lookalike.system.data_folder import DataFolder

LOOPBACK = frozenset({"127.0.0.1", "::1", "-::1"})
CHECKED = ("bind", "appendonly", "maxmemory-policy", "dir")
# Other addresses of this machine: a server that listens on 127.0.0.1 alone does not answer there, one that listens on
# every address does. (macOS has only the second.)
OTHER_ADDRESSES = ("127.0.0.2", "::1")
# Under /healthz (web/schemas.py).
GALLERY_SAYS = '{"status":"ok"}'


def confirm_broker(url: str, folder: DataFolder) -> None:
    """Reads the configuration of our own broker. Raises Misconfigured if it is not the written one, Unreachable."""
    try:
        with Redis.from_url(
            url,
            socket_connect_timeout=ANSWER_S,
            socket_timeout=ANSWER_S,
            decode_responses=True,
            # The name of a folder need not be UTF-8.
            encoding_errors="surrogateescape",
        ) as redis:
            found = redis.config_get(*CHECKED)
    except (RedisError, OSError) as error:
        raise Unreachable(f"The broker does not tell how it runs ({error}).") from error
    faults = []
    if not _asks_for_password(url):
        faults.append("it asks for no password")
    if not set(found["bind"].split()) <= LOOPBACK or not found["bind"]:
        faults.append(f"it listens on {found['bind'] or '*'}")
    if found["appendonly"] != "yes":
        faults.append("it keeps nothing")
    if found["maxmemory-policy"] != "noeviction":
        faults.append(f"it throws messages away ({found['maxmemory-policy']})")
    if not _is_same_folder(found["dir"], folder.broker):
        faults.append(f"it keeps its files in {found['dir']}")
    _refuse("broker", faults)


def confirm_store(url: str, key: str) -> None:
    """Checks that our own store listens on loopback alone and asks for its key. Raises Misconfigured, Unreachable."""
    faults = []
    if _accepts(url, None):
        faults.append("it asks for no key")
    host, port = urlsplit(url).hostname, urlsplit(url).port
    for address in OTHER_ADDRESSES:
        shown = f"[{address}]" if ":" in address else address
        if address != host and _listens(address, port or 0) and _accepts(f"http://{shown}:{port}", key):
            faults.append(f"it listens on {address} too")
    _refuse("store", faults)


def confirm_gallery(url: str) -> None:
    """Checks that our gallery, which asks for no secret on loopback, listens there alone. Raises Misconfigured."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    others = [other for other in OTHER_ADDRESSES if other != host and _listens(other, port or 0)]
    _refuse("web", [f"it listens on {other} too" for other in others if _is_gallery(other, port)])


def _refuse(part: str, faults: list[str]) -> None:
    if faults:
        raise Misconfigured(
            f"The {part} does not run as it was told ({', '.join(faults)}) and is stopped: "
            f"see `lookalike logs {part}`, and start again."
        )


def _asks_for_password(url: str) -> bool:
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        with Redis.from_url(bare, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S) as redis:
            redis.ping()
    except AuthenticationError:
        return True
    except (RedisError, OSError) as error:
        raise Unreachable(f"The broker at {without_secret(url)} does not answer ({error}).") from error
    return False


def _accepts(url: str, key: str | None) -> bool:
    import httpx  # noqa: PLC0415 (of an extra)

    # The store refuses other host names.
    headers = {"host": "127.0.0.1"} | ({} if key is None else {"api-key": key})
    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
            return client.get(f"{url}/collections", headers=headers).is_success
    except httpx.HTTPError:
        return False


def _is_gallery(address: str, port: int | None) -> bool:
    """Whether it is ours and not another program's."""
    import httpx  # noqa: PLC0415 (of an extra)

    shown = f"[{address}]" if ":" in address else address
    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
            return client.get(f"http://{shown}:{port}/healthz").text == GALLERY_SAYS
    except httpx.HTTPError:
        return False


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=ANSWER_S):
            return True
    except OSError:
        return False


def _is_same_folder(reported: str, ours: Path) -> bool:
    try:
        return Path(reported).samefile(ours)
    except OSError:
        return False
