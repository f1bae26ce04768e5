"""What goes wrong as problem details (RFC 9457): a status, its phrase, and one sentence that people can act on."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lookalike.errors import (
    Cancelled,
    Closed,
    LookalikeError,
    Misconfigured,
    NoSuchJob,
    NotRunning,
    Refused,
    TimedOut,
    Unreachable,
)

MEDIA_TYPE = "application/problem+json"
STATUS_OF: tuple[tuple[type[LookalikeError], HTTPStatus], ...] = (
    (NoSuchJob, HTTPStatus.NOT_FOUND),
    (Cancelled, HTTPStatus.CONFLICT),
    (Refused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TimedOut, HTTPStatus.GATEWAY_TIMEOUT),
    (Unreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotRunning, HTTPStatus.SERVICE_UNAVAILABLE),
    (Closed, HTTPStatus.SERVICE_UNAVAILABLE),
    (Misconfigured, HTTPStatus.SERVICE_UNAVAILABLE),
)
MAX_DETAIL_CHARS = 1000
PARAMETER = re.compile(r"\{(\w+)\}")


class ProblemDetails(BaseModel):
    """An error as it is answered."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Problem(HTTPException):
    """Ends a request with this status and this sentence."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status.value, detail, headers)


# Of every route: what FastAPI would add by itself has another form.
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, in one sentence",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                "example": {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "'cat.jpg' is neither a file here nor in the index. "
                    "`lookalike sync 'cat.jpg'` indexes it.",
                },
            }
        },
    }
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The response for a status and a sentence."""
    body = ProblemDetails(title=HTTPStatus(status).phrase, status=status, detail=detail[:MAX_DETAIL_CHARS])
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


def answer_problems(app: FastAPI) -> None:
    """Has the app answer every error so."""
    app.add_exception_handler(LookalikeError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_request)
    app.add_exception_handler(Exception, _unforeseen)


def _of_ours(_request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUS_OF if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem(status, str(error))


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for these alone)
    detail, headers = str(error.detail), dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names those of the first route with this path.
        headers = {"allow": ", ".join(_methods_of(request.app.openapi()["paths"], request.url.path)) or "GET"}
    if detail == HTTPStatus(error.status_code).phrase:
        detail = f"{request.method} {request.url.path} is not offered: /api/v1/openapi.json tells what is."
    return problem(error.status_code, detail, headers)


def _methods_of(paths: Mapping[str, Mapping[str, Any]], asked: str) -> list[str]:
    """The methods that the OpenAPI has for a path."""
    patterns = {template: PARAMETER.sub(_any_value, template) for template in paths}
    return sorted(
        method.upper()
        for template, pattern in patterns.items()
        if re.fullmatch(pattern, asked, re.DOTALL)
        for method in paths[template]
    )


def _any_value(parameter: re.Match[str]) -> str:
    """A path of the library has slashes, any other parameter has none."""
    return ".+" if parameter[1] == "path" else "[^/]+"


def _of_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (it is registered for these alone)
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {fault['msg'].removeprefix('Value error, ')}.")


def _unforeseen(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after the response, so the traceback is in the log.
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The gallery failed; `lookalike logs web` has the rest.")
