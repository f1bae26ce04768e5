"""Routes of the library's files: what the index knows of them, the originals, and their thumbnails."""

import asyncio
import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from lookalike.library.errors import ReadFailed, Rejected, Unavailable
from lookalike.library.kinds import OpenFile
from lookalike.library.opening import asked_library
from lookalike.library.paths import escape_path, quoted, validate_path
from lookalike.messages import MAX_PAGE, FilesReply, KnownFile
from lookalike.search.query import Uuid
from web.media import SNIFFED_BYTES, UNKNOWN, media_type
from web.problems import RESPONSES, Problem
from web.schemas import Ignored, IgnoredPage
from web.services import Services, services_of

router = APIRouter(responses=RESPONSES, tags=["library"])
Given = Annotated[Services, Depends(services_of)]
# The sizes that are kept: a grid, the same on a fine screen, one picture to look at.
SIDES = (128, 256, 512, 1024)
CHUNK_BYTES = 256 * 1024
# It may be kept, and is asked for again each time: a file may change. Ours costs one look at its status.
REVALIDATED = "private, no-cache"


# A point of the index, as the page before told it.
After = Annotated[Uuid | None, Query()]


def _is_kept(side_px: int) -> int:
    if side_px not in SIDES:
        raise ValueError(f"a thumbnail has {', '.join(map(str, SIDES))} pixels")
    return side_px


Side = Annotated[int, AfterValidator(_is_kept), Query(json_schema_extra={"enum": [*SIDES]})]


@router.get("/images", summary="What is in the index, by pages")
def images(
    given: Given,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    status: Annotated[Literal["indexed", "rejected"] | None, Query()] = None,
    folder: Annotated[str | None, Query(min_length=1)] = None,
) -> FilesReply:
    """Files in order of their points; `after` is the `next` of the page before, which is null on the last one."""
    return given.client.page(after, limit, status=status, folder=folder)


@router.get("/images/{path:path}", summary="What the index knows of a file")
def image(given: Given, path: str) -> KnownFile:
    """One file by its path in the library."""
    return _known(given, path)


@router.get("/rejected", summary="What could not be read, with reasons")
def rejected(
    given: Given,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> FilesReply:
    """Rejected files, by pages as of GET /images."""
    return given.client.page(after, limit, status="rejected")


@router.get("/ignored", summary="What is left out, and by which rule")
def ignored(
    given: Given,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> IgnoredPage:
    """Files and folders of the library that no rule lets into the index. Each page walks through the folder."""
    rows: list[Ignored] = []
    with asked_library(given.settings) as library:
        for at, (path, rule) in enumerate(library.ignored()):
            if at >= offset + limit:
                return IgnoredPage(ignored=rows, next=offset + limit)
            if at >= offset:
                rows.append(Ignored(path=escape_path(path), rule=rule))
    return IgnoredPage(ignored=rows, next=None)


@router.get(
    "/files/{path:path}",
    response_class=Response,
    summary="The original",
    responses={200: {"content": {"image/*": {}, UNKNOWN: {}}}, 304: {"description": "It has not changed"}},
)
def original(given: Given, request: Request, path: str) -> Response:
    """The file as it lies in the library, if the index knows it. What browsers do not show is offered for saving."""
    _known(given, path)
    try:
        opened = given.library.open(path)
    except (Rejected, ReadFailed, Unavailable) as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{quoted(path)} cannot be read: {error}.") from error
    if opened is None:
        raise _gone(path)
    file, version = opened
    headers = {"etag": f'"{version.token}"', "cache-control": REVALIDATED}
    if request.headers.get("if-none-match") == headers["etag"]:
        file.close()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        first = file.read(SNIFFED_BYTES)
    except OSError as error:
        file.close()
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{quoted(path)} cannot be read: {error}.") from error
    kind = media_type(first)
    # Opened by itself it is a page of this gallery, in which nothing may run.
    headers |= {"content-security-policy": "sandbox; default-src 'none'", "content-length": str(version.size_bytes)}
    if kind == UNKNOWN:
        name = quote(path.rpartition("/")[2], safe="")
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{name}"
    return StreamingResponse(_chunks(first, file, version.size_bytes), media_type=kind, headers=headers)


@router.get(
    "/thumbnails/{path:path}",
    response_class=Response,
    summary="A small upright picture",
    responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "It has not changed"}},
)
async def thumbnail(given: Given, request: Request, path: str, side_px: Side = 256) -> Response:
    """A JPEG in sRGB, at most so many pixels wide and high. A search worker makes it, after the searches."""
    try:
        version = await asyncio.to_thread(given.library.version, validate_path(path))
    except Unavailable as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{quoted(path)} cannot be looked at: {error}.") from error
    if version is None:
        raise _gone(path)
    key = f"{side_px}\0{version.token}\0{path}"
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": REVALIDATED}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    jpeg = await asyncio.to_thread(given.cache.get, key)
    if jpeg is None:
        async with given.drawing:
            jpeg = (await given.asynchronous.thumbnail(path, side_px)).jpeg
        await asyncio.to_thread(given.cache.put, key, jpeg)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


def _known(given: Services, path: str) -> KnownFile:
    found = given.client.known([validate_path(path)]).get(path)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"{quoted(path)} is not in the index.")
    return found


def _gone(path: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"{quoted(path)} is not in the library.")


def _chunks(first: bytes, file: OpenFile, size_bytes: int) -> Iterator[bytes]:
    """So many bytes of a file whose first were read, which is closed then."""
    with file:
        yield first[:size_bytes]
        size_bytes -= len(first)
        while size_bytes > 0 and (chunk := file.read(min(CHUNK_BYTES, size_bytes))):
            size_bytes -= len(chunk)
            yield chunk
