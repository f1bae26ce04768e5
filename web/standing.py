"""Routes of the system: how it stands, what happens, and what a person may ask of it."""

import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Header
from fastapi.responses import StreamingResponse

from lookalike.client.status import Status
from lookalike.errors import LookalikeError, Refused
from web.feed import Happening
from web.problems import RESPONSES, Problem
from web.schemas import Health, PauseRequest, RetryRequest, Sent
from web.services import Services, services_of

router = APIRouter(responses=RESPONSES, tags=["system"])
probes = APIRouter(responses=RESPONSES, tags=["system"])
Given = Annotated[Services, Depends(services_of)]


@router.get("/status", summary="Counts, rate, ETA and which parts run")
def status(given: Given) -> Status:
    """As `lookalike status --json`."""
    return given.client.status()


@router.post("/pause", summary="Embed nothing for a while")
def pause(given: Given, asked: Annotated[PauseRequest | None, Body()] = None) -> Status:
    """Lets ingest rest for `for_s` seconds, or until `resume`; searches go on."""
    given.client.pause(None if asked is None else asked.for_s)
    return given.client.status()


@router.post("/resume", summary="End a pause")
def resume(given: Given) -> Status:
    """Ends what `pause` began; quiet hours and a battery go on to pause."""
    given.client.resume()
    return given.client.status()


@router.post("/retry", summary="Try rejected files again")
def retry(given: Given, asked: Annotated[RetryRequest | None, Body()] = None) -> Sent:
    """These files, or all that were rejected."""
    paths = None if asked is None else asked.paths
    if paths is not None and not paths:
        raise Refused("No paths are named: leave `paths` out to try all of them.")
    return Sent(sent=given.client.retry(paths))


@router.get(
    "/events",
    response_class=StreamingResponse,
    summary="What happens, as it happens",
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    given: Given, last_event_id: Annotated[str | None, Header(max_length=100)] = None
) -> StreamingResponse:
    """Server-sent events: `files` with what became of files, `status` with how the system stands.

    `files` has `events`, and `missed` if some came before these and were not told. `trouble` has a sentence while the
    broker does not answer. With the id of a `files` event as Last-Event-ID it begins after that one, and may repeat.
    """
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_stream(given, last_event_id), media_type="text/event-stream", headers=headers)


@probes.get("/healthz", summary="Whether the gallery answers")
async def healthz() -> Health:
    """Asks nothing of the others."""
    return Health()


@probes.get("/readyz", summary="Whether broker, store and a search worker answer")
def readyz(given: Given) -> Health:
    """503 with a sentence if one of them does not."""
    parts = given.client.status().parts
    silent = [part for part in ("broker", "store", "search") if parts.get(part) != "up"]
    if silent:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{', '.join(silent)} silent: see `lookalike status`.")
    return Health()


async def _stream(given: Services, after: str | None) -> AsyncIterator[str]:
    def missed_since() -> Happening | None:
        if after is None:
            return None
        try:
            found = given.client.events(after)
        except LookalikeError as error:
            return "trouble", "", {"detail": str(error)}
        return "files", found.next, {"events": [vars(event) for event in found.found], "missed": found.missed}

    async for happening in given.feed.follow(missed_since):
        if happening is None:
            yield ": here\n\n"
            continue
        name, identity, content = happening
        mark = f"id: {identity}\n" if identity else ""
        yield f"event: {name}\n{mark}data: {json.dumps(content)}\n\n"
