"""The application: joins routes, guard and services. What a request may do stands in the modules of the routes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

import lookalike
from lookalike.client import Client
from lookalike.client.async_client import AsyncClient
from lookalike.client.live_status import live_status
from lookalike.client.transports.transport import Transport
from lookalike.messages import MAX_EXAMPLES, SearchMessage
from lookalike.settings import Settings
from lookalike.system.data_folder import data_folder
from web import duplicates, library, searching, standing, uploading
from web.feed import EventFeed
from web.guard import Guard
from web.pages import page_routes
from web.problems import ProblemDetails, answer_problems
from web.services import Services
from web.thumbnail_cache import ThumbnailCache

API = "/api/v1"
# Thumbnails that are asked for at once: a search waits behind one at most, and the queue is never long.
DRAWN_AT_ONCE = 4
# Searches with images: as many keep a worker busy.
SENT_AT_ONCE = 4


def create_app(settings: Settings, transport: Transport | None = None) -> FastAPI:
    """The application over one client, made of these settings or with that transport."""
    client = AsyncClient(settings, transport=transport)
    services = Services(
        settings=client.settings,
        asynchronous=client,
        cache=ThumbnailCache(data_folder(client.settings).thumbnails, settings.max_thumbnail_bytes),
        feed=EventFeed(lambda: Client(client.settings, transport=transport), live_status),
        drawing=asyncio.Semaphore(DRAWN_AT_ONCE),
        sending=asyncio.Semaphore(SENT_AT_ONCE),
        uploading=asyncio.Semaphore(1),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    # Its own pages of documentation load scripts from elsewhere.
    app = FastAPI(
        title="lookalike",
        summary="Search a library of images by example",
        version=lookalike.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url=f"{API}/openapi.json",
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.services = services
    for routes in (searching.router, duplicates.router, uploading.router, library.router, standing.router):
        app.include_router(routes, prefix=API)
    app.include_router(standing.probes)
    app.include_router(page_routes())
    answer_problems(app)
    _complete_openapi(app, settings)
    return app


def guarded(app: FastAPI) -> Guard:
    """The application as it is served."""
    settings = app.state.services.settings
    secret = settings.web_auth
    return Guard(
        app,
        names=settings.web_names,
        secret=None if secret is None else secret.get_secret_value(),
        body_bytes={f"{API}/search": settings.max_query_bytes, f"{API}/images": settings.max_upload_bytes},
    )


def _complete_openapi(app: FastAPI, settings: Settings) -> None:
    """Adds the schemas that routes name and FastAPI cannot find, and how to be let in."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            schemas = document["components"]["schemas"]
            for model in (SearchMessage, ProblemDetails):
                described = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(described.pop("$defs", {}))
                schemas[model.__name__] = described
            for path, most in ((f"{API}/images", settings.max_upload_files), (f"{API}/search", MAX_EXAMPLES)):
                content = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
                content["schema"]["properties"]["image"]["maxItems"] = most
            document["components"]["securitySchemes"] = {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            }
            document["security"] = [{}, {"basic": []}, {"token": []}]
        return app.openapi_schema or made()

    app.openapi = openapi  # type: ignore[method-assign]
