"""The client for asyncio: the methods of `Client`, each awaited. None is written out a second time.

One thread makes the calls, one after another: they read files and talk to the broker, a millisecond or so each. The
answers come as futures of the transport, whose one thread waits for all of them. So a thousand searches under way take
two threads, as one does.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from lookalike.client.client import Client
from lookalike.client.job import Job
from lookalike.client.queries.searches import Answer, Searches
from lookalike.client.transports.connections import PerProcess
from lookalike.client.transports.results import WorkerDied, no_answer
from lookalike.client.transports.transport import Transport
from lookalike.errors import LookalikeError
from lookalike.messages import MAX_PAGE
from lookalike.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class Cancels(Protocol):
    """A job, or many."""

    def cancel(self) -> bool:
        """Cancels what no worker has begun."""


def called(
    method: Callable[Concatenate[Client, P], R],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, R]]:
    """The method, awaited."""

    @functools.wraps(method)
    async def call(self: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> R:
        return await asyncio.wrap_future(self.submit(lambda: method(self.client, *args, **named)))

    return call


def answered(
    method: Callable[Concatenate[Client, P], Job[R]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, R]]:
    """The answer of the job that the method returns, awaited. A task that is cancelled meanwhile cancels the job."""

    @functools.wraps(method)
    async def call(self: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> R:
        sent = self.submit(lambda: _listened(method(self.client, *args, **named)))
        with self.revoking(sent, lambda sent: sent[0]):
            return await _arrived(self, *await asyncio.wrap_future(sent))

    return call


def all_answered(
    method: Callable[Concatenate[Client, P], Searches],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, list[Answer]]]:
    """All answers of the searches that the method returns, awaited message by message; cancelled as one job is."""

    @functools.wraps(method)
    async def call(self: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> list[Answer]:
        sent = self.submit(lambda: method(self.client, *args, **named))
        with self.revoking(sent, lambda searches: searches):
            searches = await asyncio.wrap_future(sent)
            is_more = True
            while is_more:
                if searches.next_job is not None:
                    listened = self.submit(functools.partial(_listened, searches.next_job))
                    await _arrived(self, *await asyncio.wrap_future(listened))
                # Its answer is there; the messages after it are sent.
                is_more = await asyncio.wrap_future(self.submit(functools.partial(searches.read_next)))
            return searches.result()

    return call


def iterated(
    method: Callable[Concatenate[Client, P], Iterator[R]],
) -> Callable[Concatenate["AsyncClient", P], AsyncIterator[R]]:
    """The items of the method, for `async for`; a page of them is read at once."""

    @functools.wraps(method)
    async def iterate(self: "AsyncClient", /, *args: P.args, **named: P.kwargs) -> AsyncIterator[R]:
        items = await asyncio.wrap_future(self.submit(lambda: method(self.client, *args, **named)))
        while page := await asyncio.wrap_future(self.submit(lambda: [*islice(items, MAX_PAGE)])):
            for item in page:
                yield item

    return iterate


class _CallThread(ThreadPoolExecutor):
    """The thread that makes the calls."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="lookalike-calls")

    def close(self) -> None:
        """Ends it after what was submitted."""
        self.shutdown(wait=False)


class AsyncClient:
    """As `Client`, for asyncio: `await client.search(...)` is the answer, and cancelling the task cancels the job.

    It may be used by tasks of any event loop, and on both sides of a fork(). `async with` or `await client.close()`
    ends what it opened in this process, after the calls that were made before.
    """

    def __init__(
        self, settings: Settings | None = None, *, transport: Transport | None = None, **given: object
    ) -> None:
        self.client = Client(settings, transport=transport, **given)
        self.settings = self.client.settings
        self._thread = PerProcess(_CallThread)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all connections and threads of this process; from then on every call raises Closed."""
        with suppress(LookalikeError):
            closing = self.submit(self.client.close)
            self._thread.close()
            await asyncio.wrap_future(closing)

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """Makes a call after those before it. Raises Closed."""
        return self._thread.here().submit(call)

    @contextmanager
    def revoking(self, sent: "Future[R]", sent_job: Callable[[R], Cancels]) -> Iterator[None]:
        """Around waiting for what was sent: cancels it if the task is cancelled."""

        def revoke() -> None:
            if not sent.cancelled() and sent.exception() is None:
                with suppress(LookalikeError):
                    sent_job(sent.result()).cancel()

        try:
            yield
        except asyncio.CancelledError:
            # In the thread of the calls, and so after one that is under way.
            with suppress(LookalikeError, RuntimeError):
                self.submit(revoke)
            raise

    search = answered(Client.search)
    ask = answered(Client.ask)
    thumbnail = answered(Client.thumbnail)
    search_many = all_answered(Client.search_many)
    sync = answered(Client.sync)
    job = answered(Client.job)
    status = called(Client.status)
    known = called(Client.known)
    page = called(Client.page)
    retry = called(Client.retry)
    sample = called(Client.sample)
    groups = called(Client.groups)
    verdict = called(Client.verdict)
    import_verdicts = called(Client.import_verdicts)
    # The job, which is long: ask it how far it is, or wait for it in a thread.
    duplicates = called(Client.duplicates)
    events = called(Client.events)
    allow_removals = called(Client.allow_removals)
    pause = called(Client.pause)
    resume = called(Client.resume)
    list = iterated(Client.list)
    rejected = iterated(Client.rejected)
    verdicts = iterated(Client.verdicts)


def _listened(job: Job[R]) -> tuple[Job[R], Future[Any]]:
    """A job and its answer to come."""
    return job, job.future()


async def _arrived(client: AsyncClient, job: Job[R], future: "Future[Any]") -> R:
    """The answer when it comes; a search whose worker died is sent once more. Raises TimedOut."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + job.patience_s
    try:
        async with asyncio.timeout_at(until_s):
            try:
                return job.accept(await asyncio.wrap_future(future))
            except WorkerDied as died:
                sent = client.submit(functools.partial(job.send_again, died, until_s - loop.time()))
                await asyncio.wrap_future(sent)
                _, second = await asyncio.wrap_future(client.submit(functools.partial(_listened, job)))
                return job.accept(await asyncio.wrap_future(second))
    except TimeoutError:
        raise no_answer(job.patience_s) from None
