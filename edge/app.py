"""How calls, answers and refusals look on the wire. What a route does is in edge/routes.py.

Bodies about points go to the host of their collection as they came, and its results come back as they are sent.
"""

import time
from collections.abc import Awaitable, Callable

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.errors import Refused
from edge.request_checks import check_content_type, check_host, check_key, read_body
from edge.routes import Call, Handler, Routes
from edge.store import Store

# The release of Qdrant whose API this is; a client compares it with its own version and warns if they are far apart.
QDRANT_VERSION = "1.20.0"

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: Store, listening_on: str, body_limit_bytes: int, api_key: str | None = None) -> Starlette:
    """The ASGI application over an open store; `listening_on` is the host that we were told to listen on.

    With an API key only `GET /` is answered without it, as Qdrant does.
    """

    def endpoint(handler: Handler) -> Endpoint:
        async def answer(request: Request) -> Response:
            began_s = time.perf_counter()
            check_host(request.headers.get("host", ""), listening_on)
            check_key(request.headers.get("api-key"), api_key)
            body = b""
            if request.method in {"POST", "PUT", "PATCH"}:
                check_content_type(request.headers.get("content-type", ""))
                body = await read_body(request, body_limit_bytes)
            call = Call(body, request.path_params, wait=request.query_params.get("wait") == "true")
            result = await handler(call)
            return _json({"result": result, "status": "ok", "time": time.perf_counter() - began_s}, 200)

        return answer

    async def version(request: Request) -> Response:
        check_host(request.headers.get("host", ""), listening_on)
        return _json({"title": "qdrant edge", "version": QDRANT_VERSION}, 200)

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in Routes(store).table()]
    return Starlette(
        routes=[Route("/", version), *routes],
        exception_handlers={Refused: _refused, HTTPException: _no_route, Exception: _our_fault},
    )


def _json(value: object, status: int) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _failure(sentence: str, status: int) -> Response:
    return _json({"status": {"error": sentence}, "time": 0.0}, status)


def _refused(_request: Request, error: Exception) -> Response:
    return _failure(str(error), error.status if isinstance(error, Refused) else Refused.status)


def _no_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _failure(f"{request.method} {request.url.path} is not offered by this server", status)


def _our_fault(_request: Request, error: Exception) -> Response:
    # Starlette raises it again behind the answer, so the traceback is in the log.
    return _failure(f"Service internal error: {error}", 500)
