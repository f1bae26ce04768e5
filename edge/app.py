"""The ASGI application: how requests, responses and errors look on the wire. What a route does is in edge/routes.py.

Request bodies about points are passed unparsed to the host process of their collection, and its JSON is returned as is.
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

# The release of Qdrant whose API this is; clients compare it with their own version and warn if they are far apart.
QDRANT_VERSION = "1.20.0"

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(store: Store, listening_on: str, body_limit_bytes: int, api_key: str | None = None) -> Starlette:
    """The ASGI application over an open store; `listening_on` is the host that the server was told to listen on.

    If there is an API key, only `GET /` works without it, as in Qdrant.
    """

    def endpoint(handler: Handler) -> Endpoint:
        async def respond(request: Request) -> Response:
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

        return respond

    async def version(request: Request) -> Response:
        check_host(request.headers.get("host", ""), listening_on)
        return _json({"title": "qdrant edge", "version": QDRANT_VERSION}, 200)

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in Routes(store).table()]
    return Starlette(
        routes=[Route("/", version), *routes],
        exception_handlers={Refused: _refused, HTTPException: _unknown_route, Exception: _internal_error},
    )


def _json(value: object, status: int) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _failure(sentence: str, status: int) -> Response:
    return _json({"status": {"error": sentence}, "time": 0.0}, status)


def _refused(_request: Request, error: Exception) -> Response:
    return _failure(str(error), error.status if isinstance(error, Refused) else Refused.status)


def _unknown_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _failure(f"{request.method} {request.url.path} is not offered by this server", status)


def _internal_error(_request: Request, error: Exception) -> Response:
    # Starlette raises the error again after the response, so the traceback is in the log.
    return _failure(f"Service internal error: {error}", 500)
