"""Checks of a request before its route runs: host, API key, content type, size. Independent of collections.

Without a key everybody on this machine is welcome, and any page in a browser here can send requests. A page under a
name that was rebound to 127.0.0.1 still sends that name as Host; a page elsewhere can send a POST only if it calls the
body plain text or a form.
"""

import hmac

from starlette.requests import Request

from edge.errors import BadInput, Forbidden, TooLarge, Unauthorized

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def check_host(host_header: str, listening_on: str) -> None:
    """Raises Forbidden unless the request was sent to a loopback name or to the address that we listen on."""
    name = _without_port(host_header.lower())
    own = f"[{listening_on}]" if ":" in listening_on else listening_on
    if name not in _LOOPBACK and name != own.lower():
        raise Forbidden(f"Host {host_header!r} is not allowed: call this server as 127.0.0.1 or localhost")


def check_key(given: str | None, expected: str | None) -> None:
    """Raises Unauthorized unless the request brings the key, if there is one.

    It also tells servers apart: on a port that was freed for a moment another one may answer by now.
    """
    if expected is not None and not hmac.compare_digest((given or "").encode(), expected.encode()):
        raise Unauthorized("Must provide an API key in the header api-key")


def check_content_type(content_type: str) -> None:
    """Raises BadInput unless the body is called JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise BadInput(f"Content type error: expected application/json, found {content_type or 'none'!r}")


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises TooLarge, after reading it to its end: else the sender never reads the answer."""
    size_bytes = 0
    chunks: list[bytes] = []
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes <= limit_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size_bytes > limit_bytes:
        raise TooLarge(
            f"Payload error: JSON payload ({size_bytes} bytes) is larger than allowed (limit: {limit_bytes} bytes)."
        )
    return b"".join(chunks)


def _without_port(host_header: str) -> str:
    name, colon, port = host_header.rpartition(":")
    return name if colon and port.isdigit() else host_header
