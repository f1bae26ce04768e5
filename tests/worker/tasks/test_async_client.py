"""The client for asyncio over the real transport and the one in memory: what Client does, and with how many threads."""

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from lookalike import AsyncClient, Client, Closed, Refused, TimedOut
from lookalike.client.async_client import answered
from lookalike.messages import SyncReply
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport
from tests.support.waiting import wait_until
from tests.support.workers import ROOT
from tests.worker.tasks.conftest import System, stopped
from tests.worker.tasks.transports.sides import NAMES, celery_side, memory_side

SEARCHES = 1000
MOST_THREADS = 2
FORKS = """
import asyncio, os, sys
from lookalike import AsyncClient

client = AsyncClient()

async def search():
    return (await client.search(sys.argv[1], 1, timeout_s=20))[0].path

print(asyncio.run(search()), flush=True)
child = os.fork()
if child == 0:
    print(asyncio.run(search()), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(asyncio.run(search()))
"""


@dataclass
class Side:
    """A system with six pictures; `client` makes a client for asyncio."""

    client: Callable[[], AsyncClient]
    held: Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["celery", "memory"])
def side(request: pytest.FixtureRequest) -> Side:
    """The sides of test_transports.py."""
    made = celery_side(request.getfixturevalue("system")) if request.param == "celery" else memory_side()
    with made.client() as client:
        transport = client._transport()  # noqa: SLF001 (the one in memory is shared among clients)
        if isinstance(transport, InMemoryTransport):
            return Side(lambda: AsyncClient(read_settings(), transport=transport), made.held)
        settings = client.settings
    return Side(lambda: AsyncClient(settings), made.held)


def test_it_has_every_method_of_the_client() -> None:
    def public(kind: type) -> dict[str, Any]:
        return {name: each for name, each in inspect.getmembers(kind, callable) if not name.startswith("_")}

    here, there = public(AsyncClient), public(Client)
    assert here.keys() - {"submit", "revoking"} == there.keys()
    for name in there.keys() - {"close"}:
        assert here[name].__doc__ == there[name].__doc__


def test_searches_syncs_and_reads_are_awaited(side: Side) -> None:
    async def ask() -> None:
        async with side.client() as client:
            (found, *_) = await client.search(NAMES[3], 2)
            several = await asyncio.gather(*(client.search(name, 1) for name in NAMES))
            synced = await client.sync(NAMES[:2])
            status, known = await client.status(), await client.known(NAMES[:1])
            listed = {file.path async for file in client.list()}
            rejected = {file.path async for file in client.rejected()}

            many = await client.search_many([*NAMES, "nowhere.png"] * 20, 1)

        assert [answer.error is None and answer.neighbours[0].path for answer in many] == [*NAMES, False] * 20
        assert found.path == NAMES[3]
        assert [first.path for (first,) in several] == NAMES
        assert synced == SyncReply(unchanged=2)
        assert known[NAMES[0]].status == "indexed"
        assert status.parts["broker"] == "up"
        assert {*NAMES, "kept/bad.png"} <= listed
        assert "kept/bad.png" in rejected
        with pytest.raises(Closed):
            await client.search(NAMES[0])

    asyncio.run(ask())


def test_what_is_at_fault_is_raised_where_it_is_awaited(side: Side) -> None:
    async def ask() -> None:
        async with side.client() as client:
            with pytest.raises(Refused, match="limit"):
                await client.search(NAMES[0], 0)
            with pytest.raises(Refused, match="was rejected"):
                await client.search("kept/bad.png")
            with side.held(), pytest.raises(TimedOut, match=r"No answer within 0.1 s"):
                await client.search(NAMES[0], timeout_s=0.1)

    asyncio.run(ask())


def test_a_cancelled_task_cancels_its_job(side: Side) -> None:
    async def ask() -> set[str]:
        async with side.client() as client:
            with side.held():
                jobs = [client.client.search(name, 1).id for name in NAMES[:3]]
                tasks = [asyncio.create_task(client.job(job)) for job in jobs]
                await asyncio.sleep(0)
                await client.retry(["nothing.png"])  # after their calls
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(error) for error in ended] == [asyncio.CancelledError] * 3
                await client.retry(["nothing.png"])
            return {client.client.job(job).status().state for job in jobs}

    assert asyncio.run(ask()) == {"cancelled"}


def test_a_task_that_is_cancelled_while_its_job_is_sent_leaves_none(side: Side) -> None:
    async def ask() -> set[str]:
        sent: list[str] = []
        async with side.client() as client:

            def search() -> Any:
                job = client.client.search(NAMES[0], 1)
                sent.append(job.id)
                begun.set()
                proceed.wait(20)
                return job

            begun, proceed = threading.Event(), threading.Event()
            with side.held():
                task = asyncio.create_task(answered(lambda _: search())(client))
                await asyncio.sleep(0)
                assert begun.wait(20)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                proceed.set()
                await client.retry(["nothing.png"])
            return {client.client.job(job).status().state for job in sent}

    assert asyncio.run(ask()) == {"cancelled"}


def test_a_thousand_awaited_searches_take_two_threads(side: Side) -> None:
    # One of an earlier test may be about to end.
    before = {*threading.enumerate()}
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len({*threading.enumerate()} - before))
            await asyncio.sleep(0.002)

    async def ask() -> list[str]:
        async with side.client() as client:
            watching = asyncio.create_task(watch())
            found = await asyncio.gather(*(client.search(NAMES[at % 6], 1, timeout_s=120) for at in range(SEARCHES)))
            watching.cancel()
        return [first.path for (first,) in found]

    assert asyncio.run(ask()) == [NAMES[at % 6] for at in range(SEARCHES)]
    assert 1 <= most <= MOST_THREADS
    wait_until(lambda: {*threading.enumerate()} <= before)


def test_closing_ends_what_waits(system: System) -> None:
    async def ask() -> None:
        client = AsyncClient(system.settings)
        with stopped(system):
            tasks = [asyncio.create_task(client.search(NAMES[0], 1)) for _ in range(3)]
            await asyncio.sleep(0)
            await client.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [Closed] * 3

    asyncio.run(ask())


def test_it_survives_a_fork(system: System) -> None:
    celery_side(system)

    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, NAMES[0]],
        cwd=ROOT, env=system.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == (f"{NAMES[0]}\n" * 3, "")
