"""Measures a running gallery: the pictures of a click, searches at once and one after another, what many leave open.

    python -m tests.programs.gallery http://127.0.0.1:8808 [--requests 10000]

The library should be one of which no thumbnail is kept yet; each click is on another picture.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import httpx
import psutil

CLICKS, SEARCHES, GRID, FIRST = 3, 50, 60, 20
# Of a browser to one server.
CONNECTIONS = 6
AT_ONCE = 16


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=10_000)
    given = parser.parse_args()
    async with httpx.AsyncClient(base_url=given.url, trust_env=False, timeout=60) as http:
        page = (await http.get("/api/v1/images", params={"limit": 1000, "status": "indexed"})).json()
        paths = iter([file["path"] for file in page["files"]])
        for _ in range(CLICKS):
            await click(http, next(paths))
        for _ in range(3):
            await compare(http, [next(paths) for _ in range(SEARCHES)])
        await ask_often(http, [*paths], given.requests)
    # The connections of this program are closed by now.
    say(f"open sockets of the gallery: {sockets(given.url)}")


async def click(http: httpx.AsyncClient, path: str) -> None:
    """A search, then the thumbnails that a browser would ask for."""
    began_s = time.perf_counter()
    found = [neighbour["path"] for neighbour in await search(http, path)]
    searched_s = time.perf_counter()
    await at_once([partial(picture, http, path) for path in found[:FIRST]], CONNECTIONS)
    seen_s = time.perf_counter()
    await at_once([partial(picture, http, path) for path in found[FIRST:]], CONNECTIONS)
    all_s = time.perf_counter()
    say(
        f"a click: answer after {searched_s - began_s:.3f} s, {FIRST} pictures after {seen_s - began_s:.3f} s, "
        f"all {len(found)} after {all_s - began_s:.3f} s"
    )


async def compare(http: httpx.AsyncClient, paths: list[str]) -> None:
    """The same searches one after another, and all at once."""
    began_s = time.perf_counter()
    for path in paths:
        await search(http, path)
    between_s = time.perf_counter()
    await asyncio.gather(*(search(http, path) for path in paths))
    alone_s, together_s = between_s - began_s, time.perf_counter() - between_s
    say(f"{len(paths)} searches: one after another {alone_s:.3f} s, at once {together_s:.3f} s")


async def ask_often(http: httpx.AsyncClient, paths: list[str], requests: int) -> None:
    """A quarter each of health, thumbnails, searches and entries of the index."""

    async def one(at: int) -> None:
        path = paths[at % len(paths)]
        match at % 4:
            case 0:
                (await http.get("/healthz")).raise_for_status()
            case 1:
                await picture(http, paths[at % 40])
            case 2:
                await search(http, path)
            case _:
                (await http.get(f"/api/v1/images/{path}")).raise_for_status()

    began_s = time.perf_counter()
    await at_once([partial(one, at) for at in range(requests)], AT_ONCE)
    say(f"{requests} requests in {time.perf_counter() - began_s:.1f} s")


async def search(http: httpx.AsyncClient, path: str) -> list[dict[str, object]]:
    query = {"examples": [{"image": {"path": path}}], "limit": GRID, "exclude_self": True}
    answer = await http.post("/api/v1/search", json=query)
    answer.raise_for_status()
    found: list[dict[str, object]] = answer.json()["neighbours"]
    return found


async def picture(http: httpx.AsyncClient, path: object) -> None:
    (await http.get(f"/api/v1/thumbnails/{path}")).raise_for_status()


async def at_once(calls: list[Callable[[], Awaitable[None]]], most: int) -> None:
    waiting = iter(calls)

    async def take(calls: Iterator[Callable[[], Awaitable[None]]]) -> None:
        for call in calls:
            await call()

    await asyncio.gather(*(take(waiting) for _ in range(most)))


def sockets(url: str) -> int:
    """Established connections of the process that listens there, to the broker and to programs that ask."""
    port = httpx.URL(url).port
    found = psutil.net_connections("tcp")
    listening = [one for one in found if one.status == psutil.CONN_LISTEN]
    (pid,) = {one.pid for one in listening if getattr(one.laddr, "port", None) == port}
    return sum(one.pid == pid and one.status == psutil.CONN_ESTABLISHED for one in found)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
