"""The pages and their files: read once, with a tag, so that a browser that asks again gets only what changed."""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from web.problems import Problem

FOLDER = Path(__file__).with_name("static")
# What people visit, and other sites may link to.
PAGES = {"/": "index.html", "/duplicates": "duplicates.html"}
# In a page the place of the header, which all of them have.
HEADER, HEADER_FILE = b"<!-- header -->", "header.html"
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
    """Routes for the pages and all their files."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in TYPES}
    header = files.pop(HEADER_FILE)
    served = {name: _file(name, content.replace(HEADER, header)) for name, content in files.items()}
    pages = {path: served.pop(name) for path, name in PAGES.items()}
    router = APIRouter(include_in_schema=False)

    async def page(request: Request) -> Response:
        return _answer(pages[request.url.path], request)

    for path in pages:
        router.add_api_route(path, page)

    @router.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        file = served.get(name)
        if file is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such file of the page.")
        return _answer(file, request)

    return router


def _file(name: str, content: bytes) -> _File:
    return _File(content, TYPES[Path(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _answer(file: _File, request: Request) -> Response:
    headers = {"etag": file.etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
