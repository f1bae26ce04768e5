"""Runs the application and its background tasks until a signal. Independent of the routes."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from edge.errors import CannotStart
from edge.hnsw import HnswBuilder
from edge.store import Store

log = logging.getLogger(__name__)

# Requests take milliseconds; after this time only a body that trickles in can be left.
LAST_REQUESTS_S = 1
# Well above the 5 s of httpx, which qdrant-client uses: if both ends closed an idle connection at the same moment, a
# request just sent on it would fail.
IDLE_CONNECTION_S = 75


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotStart."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host}:{port}: {error.strerror}. Give another --port, or 0 for a free one."
        ) from error
    # Accepted connections inherit it. asyncio sets it only where the protocol is named, and without it the body of a
    # response waits 40 ms for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve(app: Starlette, store: Store, builder: HnswBuilder, listener: socket.socket, data: Path) -> None:
    """Serves until SIGTERM, SIGINT or a broken store; returns with all requests answered and the store still open."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        # It would be that of the start.
        date_header=False,
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=LAST_REQUESTS_S,
    )
    server = _Server(config, f"url={_url(listener)} data={data} collections={len(store.collections)}")
    background = [asyncio.create_task(builder.build_when_due()), asyncio.create_task(_stop_when_broken(store, server))]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


class _Server(uvicorn.Server):
    """Logs when it is ready, and returns after a signal, where uvicorn would raise the signal again.

    Overrides members of uvicorn that it does not document: tests/edge/test_uvicorn_members.py names each of them.
    """

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop_requested = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("ready %s", self._ready)

    async def main_loop(self) -> None:
        """Waits for the end, where uvicorn looks for it ten times a second."""
        # Sets the headers of all answers.
        await self.on_tick(0)
        await self._stop_requested.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request_stop)
        yield

    def request_stop(self) -> None:
        """Makes `serve` return once the running requests are answered."""
        self.should_exit = True
        self._stop_requested.set()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


async def _stop_when_broken(store: Store, server: _Server) -> None:
    await store.is_broken.wait()
    server.request_stop()
