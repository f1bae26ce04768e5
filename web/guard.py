"""Around every request: who may ask (web/access.py), how much may be sent, and what browsers are told to forbid."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.own_hosts import is_own_host
from web.access import is_let_in, is_own_page
from web.pages import PAGES
from web.problems import Problem, problem

# What a container engine asks by an address of its own; they tell nothing of the library.
PROBES = frozenset({"/healthz", "/readyz"})
# Bodies that are no images: paths, options, vectors.
BODY_BYTES = 8 * 2**20
# No script, style or connection but ours; nothing may embed the page or take its address along.
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Guard:
    """Middleware. `names` are the host names that are ours, `body_bytes` the limits of paths that take images."""

    app: ASGIApp
    names: Collection[str]
    secret: str | None
    body_bytes: Mapping[str, int]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what may not be asked; passes on the rest."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        limit = self.body_bytes.get(path, 0) + BODY_BYTES
        try:
            if path not in PROBES:
                self._check_access(headers, scope)
            _check_length(headers.get("content-length", ""), limit)
        except Problem as error:
            answer = problem(error.status_code, str(error.detail), dict(error.headers or {}))
            await answer(scope, receive, _with_headers(send))
            return
        await self.app(scope, _bounded(receive, limit), _with_headers(send))

    def _check_access(self, headers: Headers, scope: Scope) -> None:
        """Raises Problem."""
        host = headers.get("host", "")
        if not is_own_host(host, self.names):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                f"{host[:100]!r} is no name of this gallery: visit it by its address, or name that in "
                "LOOKALIKE_WEB_NAMES.",
            )
        is_visit = scope["method"] == "GET" and scope["path"] in PAGES
        if not is_own_page(headers, is_visit=is_visit):
            raise Problem(HTTPStatus.FORBIDDEN, "A page of another site may not ask this gallery: open it by itself.")
        if not is_let_in(headers.get("authorization", ""), self.secret):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "The gallery asks for what LOOKALIKE_WEB_AUTH says: send it as Basic, or a token as Bearer.",
                {"www-authenticate": 'Basic realm="lookalike", charset="UTF-8"'},
            )


def _check_length(length: str, limit: int) -> None:
    if length and not (length.isascii() and length.isdigit()):
        raise Problem(HTTPStatus.BAD_REQUEST, "Content-Length is no number.")
    if length and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The request has more than {limit} bytes: send less at once.")


def _bounded(receive: Receive, limit: int) -> Receive:
    """The body as it comes; raises Problem when it is more, whatever its header told."""
    got = 0

    async def receive_bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            raise _too_large(limit)
        return message

    return receive_bounded


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers["date"] = formatdate(usegmt=True)
        await send(message)

    return send_with_headers
