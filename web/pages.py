"""The page and its files: read once, with a tag, so that a browser asks again and gets nothing when nothing changed."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from web.problems import Problem

FOLDER = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def page_routes(folder: Path = FOLDER) -> APIRouter:
    """Routes for the page and all its files."""
    files = {path.name: _read(path) for path in folder.iterdir() if path.suffix in TYPES}
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page(request: Request) -> Response:
        return _answer(files["index.html"], request)

    @router.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        file = files.get(name)
        if file is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such file of the page.")
        return _answer(file, request)

    return router


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(file: _File, request: Request) -> Response:
    headers = {"etag": file.etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
