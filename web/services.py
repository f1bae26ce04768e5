"""What the routes share: the settings, the client, and what is kept between requests. Made once, in web/app.py."""

import asyncio
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fastapi import Request

from lookalike.client import Client
from lookalike.client.async_client import AsyncClient
from lookalike.errors import Misconfigured, Refused
from lookalike.library.address import BucketAddress
from lookalike.library.kinds import Reader
from lookalike.library.opening import reader_of
from lookalike.settings import Settings
from web.feed import EventFeed
from web.thumbnail_cache import ThumbnailCache


@dataclass(frozen=True)
class Services:
    """One client, awaited and not; both use the same connections."""

    settings: Settings
    asynchronous: AsyncClient
    cache: ThumbnailCache
    feed: EventFeed
    # How many thumbnails are asked for at once: enough for the workers, and a page that is left waits for no more.
    drawing: asyncio.Semaphore
    # How many searches and uploads hold their images in memory at once; the others wait on disk.
    sending: asyncio.Semaphore
    uploading: asyncio.Semaphore

    @property
    def client(self) -> Client:
        """For routes that run in threads, because they wait."""
        return self.asynchronous.client

    @cached_property
    def library(self) -> Reader:
        """What reads the library. Raises Misconfigured where its folder is not here."""
        if not isinstance(self.settings.library, BucketAddress):
            _ = self.root
        reader = reader_of(self.settings)
        assert reader is not None  # noqa: S101 (for the type checker)
        return reader

    @property
    def root(self) -> Path:
        """The folder of the library, without links. Raises Misconfigured where it is not here, Refused for a bucket."""
        if isinstance(self.settings.library, BucketAddress):
            raise Refused("This library is a bucket, which is only read here: put the images there by its own tools.")
        if self.settings.library is None or not self.settings.library.is_dir():
            raise Misconfigured("The library is not here: set LOOKALIKE_LIBRARY to the folder with the images.")
        return Path(os.path.realpath(self.settings.library))


def services_of(request: Request) -> Services:
    """Those of the app that answers."""
    services: Services = request.app.state.services
    return services
