"""The client: sends searches and syncs, reads the index. Connects to the broker only."""

import logging
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Self, Unpack

from pydantic import ValidationError

from lookalike.broker.address import without_secret
from lookalike.broker.app import broker_url, client_app
from lookalike.broker.traces import traces_of
from lookalike.client.duplicates import DuplicatesJob, groups_of
from lookalike.client.index_methods import IndexMethods
from lookalike.client.job import Job
from lookalike.client.queries.argument_checks import seconds_given
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.client.queries.examples import Examples, ImageReader
from lookalike.client.queries.queries import Filtered, Pack, Query, QueryFields, packed, queries_given, wired
from lookalike.client.queries.searches import Answer, Searches, answers_of
from lookalike.client.thumbnail import Thumbnail, thumbnail_message, thumbnail_of
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.client.transports.connections import PerProcess
from lookalike.client.transports.job_records import no_such_job
from lookalike.client.transports.transport import JobStatus, Transport
from lookalike.duplicates.groups import LABELS, Groups, Label
from lookalike.errors import Refused
from lookalike.messages import (
    MAX_MESSAGE_PATHS,
    DuplicatesMessage,
    SearchManyMessage,
    SearchMessage,
    SearchReply,
    SyncMessage,
    SyncReply,
    first_fault,
)
from lookalike.pictures.html import pictures_html
from lookalike.pictures.thumbnails import thumbnails_of
from lookalike.search.neighbour import Neighbours
from lookalike.search.query import By
from lookalike.settings import Settings, read_settings
from lookalike.system.discovery import with_running

log = logging.getLogger(__name__)

SYNC_S = 600.0


class Client(IndexMethods):
    """Finds the running system by itself, or through REDIS_URL; settings given here win over both.

    Raises NotRunning if there is nothing to find. Nothing connects before the first call. It may be used by many
    threads at once, and on both sides of a fork(): each process connects for itself. `close` or a `with` block ends
    what it opened in this process; so does the garbage collector once the client is unreferenced.

    With a `transport` of the caller (lookalike/client/transports/transport.py) it looks for no system, talks to that
    alone, and leaves it open. lookalike/testing.py has one for tests that needs no system.
    """

    def __init__(
        self, settings: Settings | None = None, *, transport: Transport | None = None, **given: object
    ) -> None:
        asked = settings if settings is not None else read_settings(**given)
        whole = self.settings = asked if transport is not None else with_running(asked)
        self._paths = CallerPaths(whole.library)
        thumbnails = thumbnails_of(whole)
        self._made = partial(Neighbours, show=partial(pictures_html, thumbnails=thumbnails))
        self._answers = partial(answers_of, make=self._made)
        sending = traces_of(whole, "lookalike-client")
        make: Callable[[], Transport] = (
            (lambda: CeleryTransport(client_app(whole), whole.keys, sending))
            if transport is None
            else (lambda: transport)
        )
        self._opened = PerProcess(make, closes=transport is None)
        # An unreferenced client is closed, too; at exit the operating system does that.
        weakref.finalize(self, self._opened.close).atexit = False
        broker = without_secret(broker_url(whole)) if transport is None else type(transport).__name__
        log.debug("client broker=%s name=%s library=%s", broker, self.settings.name, self.settings.library)

    def close(self) -> None:
        """Ends all connections of this process; from then on every call raises Closed. Closing again does nothing."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self,
        image: Examples,
        limit: int = 10,
        *,
        offset: int = 0,
        filter: Filtered | None = None,  # noqa: A002 (its name in the message)
        score_threshold: float | None = None,
        min_similarity: float | None = None,
        exclude_self: bool = False,
        group_exact: bool = False,
        by: By = "embedding",
        timeout_s: float | None = None,
        scaled: bool = True,
    ) -> Job[Neighbours]:
        """Asks for the nearest neighbours of an image: a file here, else a path of the library; or bytes.

        Of several images, or `Example`s, or a mapping from images to weights, for those of all together: a negative
        weight means unlike. `offset` leaves out the first neighbours, `filter` all files that it does not describe
        (lookalike/search/filters.py), `min_similarity` (0 to 1) those that are less similar, and `score_threshold`
        those that are farther: below it for cosine and dot, above it for euclid and manhattan. `exclude_self` leaves
        out the examples' own files and their copies; `group_exact` makes one neighbour of all copies of a file.
        `by="copy"` finds what holds this image, also if it is a crop, turned, mirrored or framed; with a model that has
        no vector for that the answer is by the embedding, and its `note` says so.

        No worker starts on it after `timeout_s` (LOOKALIKE_SEARCH_TIMEOUT_S if not given). A large photo is
        scaled down before it is sent, unless every bit counts. Raises Refused if an argument is at fault,
        Unreachable if the broker does not answer.
        """
        query = Query(image, limit, offset, filter, score_threshold, min_similarity, exclude_self, group_exact, by)
        message, blobs = wired(SearchMessage, query, self.settings, lambda: self._reader(scaled=scaled))
        return self.ask(message, blobs, timeout_s=timeout_s)

    def ask(
        self, message: SearchMessage, images: Mapping[str, bytes] | None = None, *, timeout_s: float | None = None
    ) -> Job[Neighbours]:
        """Sends a search as it is: for programs that have the message already. No file is looked for here.

        `images` are the bytes of its images by their keys. Raises Unreachable.
        """
        transport, patience_s = self._transport(), self._patience_s(timeout_s)

        def send(within_s: float) -> JobStatus:
            return transport.send(message, blobs=images, expires_s=within_s)

        return Job(send(patience_s), self._transport, self._neighbours, patience_s, send)

    def thumbnail(self, image: str | bytes, side_px: int = 256, *, timeout_s: float | None = None) -> Job[Thumbnail]:
        """Asks a search worker for a small upright picture, at most `side_px` wide and high (1 to 1024).

        Of a path of the index, or of bytes: those that no worker can open are refused with the reason. Searches go
        first. Raises Refused, Unreachable.
        """
        transport, patience_s = self._transport(), self._patience_s(timeout_s)
        try:
            message, blobs = thumbnail_message(image, side_px)
        except ValidationError as error:
            raise Refused(f"The thumbnail cannot be asked for: {first_fault(error)}.") from None
        sent = transport.send(message, blobs=blobs, expires_s=patience_s)
        return Job(sent, self._transport, thumbnail_of, patience_s)

    def search_many(
        self,
        queries: Iterable[Examples | Query],
        limit: int = 10,
        *,
        timeout_s: float | None = None,
        scaled: bool = True,
        **fields: Unpack[QueryFields],
    ) -> Searches:
        """Asks many queries at once: a few messages, each of which the model and the store are asked once for.

        Each is what `search` takes, with the limit and the fields that are given here, or a `Query` with its own. At
        most LOOKALIKE_MAX_BATCH_QUERIES are one message, no longer waited for than `timeout_s`; of more the rest is
        sent while the answers are read. A query that is at fault is refused alone. Raises Unreachable.
        """
        transport, patience_s = self._transport(), self._patience_s(timeout_s)
        asked = queries_given(queries, limit, fields)

        def send(pack: Pack) -> Job[list[Answer]]:
            message = SearchManyMessage.model_construct(queries=pack.queries)
            asking = partial(transport.send, message, blobs=pack.blobs)
            sent = asking(expires_s=patience_s)
            return Job(sent, self._transport, self._answers, patience_s, lambda left_s: asking(expires_s=left_s))

        packs = packed(asked, self.settings, lambda: self._reader(scaled=scaled))
        return Searches(len(asked), packs, send)

    def sync(self, paths: Iterable[str | os.PathLike[str]], *, retry_rejected: bool = False) -> Job[SyncReply]:
        """Asks for these files to be indexed now: paths of the library, at most 1,000; absolute ones inside it too.

        `retry_rejected` also tries files that were rejected and have not changed. Raises Refused, Unreachable.
        """
        transport, relative = self._transport(), [self._paths.relative(path) for path in paths]
        if len(relative) > MAX_MESSAGE_PATHS:
            raise Refused(f"{len(relative)} paths are too many for one job: send at most {MAX_MESSAGE_PATHS}.")
        sent = transport.send(SyncMessage(paths=relative, retry_rejected=retry_rejected))
        return Job(sent, self._transport, SyncReply.model_validate, SYNC_S)

    def duplicates(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        since_last: bool = False,
        labels: Iterable[Label] = LABELS[:3],
    ) -> DuplicatesJob:
        """Asks for groups of files that hold one picture: in that folder of the library or below it, or in all of it.

        The job compares what is new with the whole library, which takes long the first time, and keeps what it finds.
        `since_last` leaves out groups without a file that came since the last job. A group is left out unless one of
        its pairs has one of the `labels`: exact, same, near, similar, companion. Raises Refused, Unreachable.
        """
        asked = [label for label in LABELS if label in set(labels)]
        if not asked:
            raise Refused(f"Name at least one label of {', '.join(LABELS)}.")
        under = None if folder is None else self._paths.relative(folder)
        message = DuplicatesMessage(folder=under, since_last=since_last, labels=asked)
        return DuplicatesJob(self._transport().send(message), self._transport)

    def groups(self, job: str, page: int = 0) -> Groups:
        """A page of up to 100 groups that the job for duplicates with this id found, which are kept for a week.

        Raises NoSuchJob before that job is done, for one that looked for no duplicates, and for a page that is not
        there; Unreachable.
        """
        return groups_of(self._transport(), job, page)

    def job(self, job: str) -> Job[Any]:
        """The search or sync with this id, sent by any process. Raises NoSuchJob if it is unknown or too old."""
        if not isinstance(job, str) or not job:
            raise no_such_job(job)
        found = self._transport().job_status(job)
        if found.kind == "search":
            return Job(found, self._transport, self._neighbours, self.settings.search_timeout_s)
        if found.kind == "duplicates":
            return DuplicatesJob(found, self._transport)
        if found.kind == "search_many":
            return Job(found, self._transport, self._answers, self.settings.search_timeout_s)
        return Job(found, self._transport, SyncReply.model_validate, SYNC_S)

    def _patience_s(self, timeout_s: float | None) -> float:
        return self.settings.search_timeout_s if timeout_s is None else seconds_given(timeout_s)

    def _reader(self, *, scaled: bool) -> ImageReader:
        return ImageReader(self._paths, self._is_indexed, self.settings.max_query_bytes, scaled)

    def _is_indexed(self, path: str) -> bool:
        file = self.known([path]).get(path)
        return file is not None and file.status == "indexed"

    def _neighbours(self, reply: Any) -> Neighbours:
        read = SearchReply.model_validate(reply)
        return self._made(read.neighbours, read.note)

    def _transport(self) -> Transport:
        """That of this process. A job holds this method and with it the client, which is closed when it is dropped."""
        return self._opened.here()
