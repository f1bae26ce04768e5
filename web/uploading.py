"""The route that puts images into the library. A worker opens each before it is written: what it cannot is refused."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile

from lookalike.client.thumbnail import Thumbnail
from lookalike.library.opening import candidates_of
from lookalike.library.paths import quoted
from web.problems import RESPONSES, Problem
from web.schemas import Uploaded, UploadReply
from web.services import Services, services_of
from web.storing import Storing, check_format

router = APIRouter(responses=RESPONSES, tags=["library"])
Given = Annotated[Services, Depends(services_of)]
FILES, FOLDER = "image", "folder"
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": [FILES],
                "properties": {
                    FILES: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}},
                    FOLDER: {"type": "string", "description": "A folder of the library; its root without one"},
                },
            },
            "encoding": {FILES: {"contentType": "image/*"}},
        }
    },
}


@dataclass(frozen=True)
class _Checked:
    path: str
    blob: bytes
    opened: Thumbnail


@router.post(
    "/images",
    status_code=HTTPStatus.CREATED,
    summary="Put images into the library",
    openapi_extra={"requestBody": BODY},
)
async def upload(given: Given, request: Request) -> UploadReply:
    """All of the files, or none: a name that is taken, or content that no worker can open, refuses the upload.

    The watcher finds them as it finds every new file; `GET /events` tells when they are indexed.
    """
    most = given.settings.max_upload_files
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "An upload is multipart/form-data with the files in `image`.")
    # One at a time, once it has come: its files are held in memory while a worker looks at them.
    async with request.form(max_files=most, max_fields=1) as form, given.uploading:
        files = [value for name, value in form.multi_items() if isinstance(value, UploadFile) and name == FILES]
        unknown = {name for name, _ in form.multi_items()} - {FILES, FOLDER}
        folder = form.get(FOLDER) or ""
        if not files or unknown or isinstance(folder, UploadFile):
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "An upload has files in `image`, and may name a `folder`.")
        storing = Storing(given.root, candidates_of(given.settings, given.root))
        checked = [await _check(given, storing, file, folder.strip("/")) for file in files]
        twice = {one.path for one in checked if sum(one.path == other.path for other in checked) > 1}
        if twice:
            raise Problem(HTTPStatus.CONFLICT, f"Two files would be {quoted(min(twice))}: give them other names.")
        await asyncio.to_thread(_write_all, storing, checked)
    return UploadReply(
        files=[
            Uploaded(
                path=one.path,
                size_bytes=len(one.blob),
                format=one.opened.format,
                width_px=one.opened.width_px,
                height_px=one.opened.height_px,
            )
            for one in checked
        ]
    )


async def _check(given: Services, storing: Storing, file: UploadFile, folder: str) -> _Checked:
    """The place and the content of a file. Raises Problem, Refused."""
    path = storing.place(file.filename or "", folder)
    most = given.settings.max_query_bytes
    blob = await file.read()
    if len(blob) > most:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{quoted(path)} has {len(blob)} bytes, at most {most} can be sent (LOOKALIKE_MAX_QUERY_BYTES): copy it "
            "into the library.",
        )
    opened = await given.asynchronous.thumbnail(blob, 128)
    check_format(path, opened.format)
    return _Checked(path, blob, opened)


def _write_all(storing: Storing, checked: list[_Checked]) -> None:
    """Raises Problem; then none is left."""
    written = []
    try:
        for one in checked:
            storing.write(one.path, one.blob)
            written.append(one.path)
    except Problem:
        for path in written:
            storing.remove(path)
        raise
