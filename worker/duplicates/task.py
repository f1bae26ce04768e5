"""Runs a job for duplicates in a worker's process: opens the index and what is kept, tells how far it is, stores pages.

Needs no model in memory, only its card.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from celery import Task
from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.found_groups import FoundGroups
from lookalike.client.transports.results import CANCELLED
from lookalike.errors import Cancelled
from lookalike.library.errors import Unavailable
from lookalike.library.opening import reader_of
from lookalike.log import get_logger
from lookalike.messages import DuplicatesMessage
from lookalike.search.query import By
from lookalike.settings import Settings
from models.contract import ModelCard
from models.decoding import Limits
from worker.answers import Answer
from worker.child_process import ChildProcess
from worker.connecting import opener_of, provider_of_index, qdrant_of
from worker.duplicates.comparing import Comparing
from worker.duplicates.indexed import Indexed
from worker.duplicates.job import FindDuplicates
from worker.duplicates.kept import Kept
from worker.duplicates.pixels import Pixels
from worker.index.identity import Identity
from worker.index.qdrant import QdrantIndex
from worker.inference.embedder import card_at, model_path
from worker.inference.provider_selection import select_provider
from worker.verdicts.contents import sha256_by_path
from worker.verdicts.kept import verdicts_of

log = get_logger(__name__)

FILE = "duplicates.sqlite"
TELL_EVERY_S = 0.5


@dataclass(frozen=True)
class Model:
    """What the index has to fit."""

    card: ModelCard
    provider: str


def run_duplicates(task: Task, settings: Settings, process: ChildProcess, message: DuplicatesMessage) -> Answer:
    """The reply, after its pages are stored. Raises Unavailable if another job is at work or a server is not there."""
    job = str(task.request.id)
    model = Model(card_at(model_path(settings)), select_provider(settings, lambda: provider_of_index(settings)))
    collection = opener_of(settings, model).open()
    identity = collection.identity
    by = _compared_by(identity)
    client = qdrant_of(settings)
    index = QdrantIndex(client, collection.name, vectors=identity.vectors, request_bytes=settings.store_request_bytes)
    with _only_job(settings) as path:
        kept = Kept(path)
        try:
            kept.belong_to(f"{identity.library_id} {identity.generation} {by}")
            reply, groups = FindDuplicates(
                Indexed(index, by),
                kept,
                Comparing(kept, _pixels(settings), process.search_priority.yield_to_search),
                settings.duplicate_candidates,
                settings.duplicate_exact_images,
                Teller(task, process, job).advance,
                process.search_priority.yield_to_search,
                verdicts_of(client, settings, sha256_of=partial(sha256_by_path, index.handle)).read,
            ).run(message)
            summary = reply.model_dump_json()
            whole = message.folder is None and not message.since_last and message.labels == DuplicatesMessage().labels
            try:
                FoundGroups(redis_of(settings), settings.keys).write(job, groups, summary, whole=whole)
            except (RedisError, OSError) as error:
                raise Unavailable(f"the broker does not answer ({error})") from error
            kept.finish_run()
        finally:
            kept.close()
    return Answer(reply)


class Teller:
    """Tells clients and Flower how far a job is, twice a second at most, and ends it if it was cancelled."""

    def __init__(
        self, task: Task, process: ChildProcess, job: str, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._task, self._process, self._job = task, process, job
        self._now_s = now_s
        self._told_s = float("-inf")
        self._begun: tuple[float, int] | None = None

    def advance(self, done: int, total: int) -> None:
        """Called often. Raises Cancelled."""
        now_s = self._now_s()
        if self._begun is None or done < self._begun[1] or done == 0:
            self._begun = (now_s, done)
        if now_s - self._told_s < TELL_EVERY_S and done < total:
            return
        self._told_s = now_s
        begun_s, first = self._begun
        eta_s = (total - done) * (now_s - begun_s) / (done - first) if done > first else None
        with suppress(RedisError, OSError):
            if not self._process.job_records.advance(self._job, done, total, eta_s):
                raise Cancelled(CANCELLED)
            left = "" if eta_s is None else f", about {eta_s:.0f} s left"
            # Flower shows the name of the event as the state of the task, and what it says as its result.
            self._task.send_event("task-comparing", retry=False, result=f"{done} of {total} images compared{left}")


def _compared_by(identity: Identity) -> By:
    """The copy descriptor, or what a model without one has in its place."""
    return "copy" if "copy" in identity.vectors else "embedding"


@contextmanager
def _only_job(settings: Settings) -> Iterator[Path | None]:
    """The place of what is kept, locked; None where nothing can be written. Raises Unavailable if it is locked."""
    folder = settings.data or Path.cwd()
    try:
        lock = (folder / f"{FILE}.lock").open("w")
    except OSError as error:
        log.warning("what is found is not kept", why=f"{folder} cannot be written ({error.strerror})")
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("another job for duplicates is at work") from None
        yield folder / FILE


def _pixels(settings: Settings) -> Pixels:
    return Pixels(reader_of(settings), Limits(settings.max_image_pixels, settings.max_worker_mib * 2**20))
