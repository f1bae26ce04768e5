"""Routes of near-duplicates: the job that looks for them, the pages of what it found, and verdicts of people."""

import asyncio
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from lookalike.client.duplicates import DuplicatesJob
from lookalike.duplicates.groups import Groups
from lookalike.errors import NoSuchJob
from lookalike.messages import VerdictReply
from web.problems import RESPONSES
from web.schemas import DuplicatesRequest, JobInfo, VerdictRequest
from web.services import Services, services_of

router = APIRouter(responses=RESPONSES, tags=["duplicates"])
Given = Annotated[Services, Depends(services_of)]


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
def duplicates(given: Given, job: str, page: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Groups:
    """Those with most bytes to save first; `next` is the number of the next page, null on the last. Kept for a week."""
    found = given.client.job(job)
    if not isinstance(found, DuplicatesJob):
        raise NoSuchJob(f"The job {job[:100]!r} looked for no duplicates.")
    return found.page(page)


@router.post("/verdicts", summary="Say what two files are to each other")
def say(given: Given, said: VerdictRequest) -> VerdictReply:
    """`not-duplicates` hides the pair, `keep-both` keeps both, `same` keeps the `better` one, `none` withdraws."""
    return given.client.verdict(said.a, said.b, said.verdict, better=said.better)
