"""Routes of near-duplicates: the job that looks for them, the pages of what it found, what to keep, and verdicts."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from lookalike.client.duplicates import paged
from lookalike.duplicates.groups import Groups
from lookalike.duplicates.plan import Keeping, plan_group, planned
from lookalike.duplicates.script import csv_of, json_of, script_of
from lookalike.messages import VerdictReply
from web.problems import RESPONSES
from web.schemas import DuplicatesRequest, JobInfo, PlanPage, VerdictRequest
from web.services import Services, services_of

FORMS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "sh": "application/x-sh"}
PIECE_BYTES = 64 * 1024
MAX_PROTECTED = 100
router = APIRouter(responses=RESPONSES, tags=["duplicates"])
Given = Annotated[Services, Depends(services_of)]
PageNumber = Annotated[int, Query(ge=0, le=10**9)]
Form = Literal["csv", "json", "sh"]
Keep = Annotated[str, Query(description="best, oldest, largest or in:FOLDER")]
Protect = Annotated[Sequence[str], Query(max_length=MAX_PROTECTED, description="Folders of which nothing is moved")]


@router.post(
    "/duplicates", response_model=JobInfo, status_code=HTTPStatus.ACCEPTED, summary="Look for files of one picture"
)
async def look(given: Given, request: Request, asked: Annotated[DuplicatesRequest | None, Body()] = None) -> Response:
    """Sends a job, which takes long the first time; `GET /jobs/{job}` tells how far it is."""
    wanted = asked or DuplicatesRequest()

    def send() -> JobInfo:
        job = given.client.duplicates(wanted.folder, since_last=wanted.since_last, labels=wanted.labels)
        return JobInfo(**asdict(job.status()))

    info = await asyncio.to_thread(send)
    where = str(request.url_for("job_status", job=info.id).path)
    return JSONResponse(info.model_dump(mode="json"), HTTPStatus.ACCEPTED, {"location": where})


@router.get("/duplicates", summary="The groups that a job found, by pages")
def duplicates(given: Given, job: str, page: PageNumber = 0) -> Groups:
    """Those with most bytes to save first; `next` is the number of the next page, null on the last. Kept for a week."""
    return given.client.groups(job, page)


@router.get("/duplicates/plan", summary="What to keep of the groups that a job found, by pages")
def plan(given: Given, job: str, page: PageNumber = 0, keep: Keep = "best", protect: Protect = ()) -> PlanPage:
    """The groups of that page, of each file whether to keep it and why; nothing is moved. Verdicts count."""
    found = given.client.groups(job, page)
    keeping = Keeping.asked(keep, protect, given.client.verdicts())
    verdicts = [
        verdict for group in found.groups for verdict in keeping.verdicts.among({file.sha256 for file in group.files})
    ]
    return PlanPage(groups=[plan_group(group, keeping) for group in found.groups], verdicts=verdicts, next=found.next)


@router.get(
    "/duplicates/plan.{form}",
    response_class=Response,
    summary="The whole plan as a file",
    responses={200: {"content": {kind: {} for kind in FORMS.values()}}},
)
def whole_plan(given: Given, job: str, form: Form, keep: Keep = "best", protect: Protect = ()) -> Response:
    """As `lookalike duplicates --plan` and `--script` write it: a table, JSON, or a shell script to be read and run."""
    client = given.client
    # What is not there is told before the answer begins.
    client.groups(job)
    keeping = Keeping.asked(keep, protect, client.verdicts())
    groups = planned(paged(partial(client.groups, job)), keeping)
    parts: Iterator[str | bytes]
    if form == "sh":
        parts = script_of(groups, given.root)
    else:
        parts = csv_of(groups) if form == "csv" else json_of(groups, keeping)
    headers = {"content-disposition": f'attachment; filename="plan.{form}"', "cache-control": "no-store"}
    return StreamingResponse(_joined(parts), media_type=FORMS[form], headers=headers)


@router.post("/verdicts", summary="Say what two files are to each other")
def say(given: Given, asked: VerdictRequest) -> VerdictReply:
    """`not-duplicates` hides the pair, `keep-both` keeps both, `same` keeps the `better` one, `none` withdraws."""
    return given.client.verdict(asked.a, asked.b, asked.verdict, better=asked.better)


def _joined(parts: Iterator[str | bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces: each is handed over between threads."""
    buffer = bytearray()
    for part in parts:
        buffer += part.encode() if isinstance(part, str) else part
        if len(buffer) >= PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)
