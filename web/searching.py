"""Routes that search, and those of the jobs that a search leaves."""

import asyncio
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from lookalike.client.transports.transport import JobStatus
from lookalike.messages import MAX_PAGE, SampleReply
from web.problems import RESPONSES, Problem
from web.query_form import BODY, search_of
from web.schemas import Answered, CancelReply, Found, JobInfo, answer_json
from web.services import Services, services_of

# These are waited for; others may take hours.
SEARCHES = ("search", "search_many")
router = APIRouter(responses=RESPONSES, tags=["search"])
Given = Annotated[Services, Depends(services_of)]


@router.post(
    "/search",
    response_model=Found,
    summary="Search by images, paths, points or vectors",
    responses={202: {"model": JobInfo, "description": "With `wait=false`: the job"}},
    openapi_extra={"requestBody": BODY},
)
async def search(given: Given, request: Request, *, wait: Annotated[bool, Query()] = True) -> Response:
    """The nearest neighbours, best first.

    As JSON: what `lookalike schema` has for lookalike.search, without images by key. As a form: any number of `image`
    files and `path`s of the library, and in `query` all other fields as JSON. An example `{"image": {"key": UUID},
    "box": [0, 0, 0.5, 1]}` in it means the file that is sent under the name UUID. With `wait=false` the answer is the
    job, whose result is fetched later.
    """
    most = given.settings.max_query_bytes
    async with search_of(request, given.sending, most) as (message, images):
        total = sum(map(len, images.values()))
        if total > most:
            sentence = f"The images have {total} bytes, at most {most} are allowed (LOOKALIKE_MAX_QUERY_BYTES)."
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
        if wait:
            return JSONResponse(answer_json(await given.asynchronous.ask(message, images)))
        sent = await asyncio.to_thread(lambda: given.client.ask(message, images).status())
    return JSONResponse(
        _info(sent).model_dump(mode="json"), HTTPStatus.ACCEPTED, {"location": f"/api/v1/jobs/{sent.id}"}
    )


@router.get("/sample", summary="A varied few, to begin with")
def sample(
    given: Given,
    count: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 12,
    folder: Annotated[str | None, Query(min_length=1)] = None,
) -> SampleReply:
    """Paths of files that are as unlike each other as can be, in that folder or in all of the library."""
    return given.client.sample(count, folder=folder)


@router.get("/jobs/{job}", summary="How far a job is")
def job_status(given: Given, job: str) -> JobInfo:
    """The state of a search or a sync, sent by any program."""
    return _info(given.client.job(job).status())


@router.get("/jobs/{job}/result", response_model=Answered, summary="The answer of a job, once")
async def job_result(given: Given, job: str) -> Response:
    """Waits for the answer of a search. It is handed over once: then the job is forgotten."""
    status = await asyncio.to_thread(lambda: given.client.job(job).status())
    if status.kind not in SEARCHES and status.state in ("queued", "started"):
        raise Problem(HTTPStatus.CONFLICT, f"The job is {status.state}: ask again when it is done.")
    return JSONResponse({"result": answer_json(await given.asynchronous.job(job))})


@router.delete("/jobs/{job}", summary="Cancel a job that no worker has begun")
def cancel_job(given: Given, job: str) -> CancelReply:
    """Whether it is cancelled by now; one that a worker has begun is done."""
    return CancelReply(id=job, cancelled=given.client.job(job).cancel())


def _info(status: JobStatus) -> JobInfo:
    return JobInfo(**asdict(status))
