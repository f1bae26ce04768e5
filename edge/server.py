"""Runs the application until a signal, and flushes on the way. Knows nothing of the routes."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from edge.errors import CannotStart
from edge.store import Store

log = logging.getLogger(__name__)

FLUSH_CHECK_S = 0.5
# Requests take milliseconds; only a body that trickles in can still be there after this.
LAST_REQUESTS_S = 1
# Well above the 5 s of httpx, which qdrant-client uses: if both give up an idle connection at the same moment, the
# request that was just sent on it fails.
IDLE_CONNECTION_S = 75


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotStart."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host}:{port}: {error.strerror}. Give another --port, or 0 for a free one."
        ) from error


async def serve(app: Starlette, store: Store, listener: socket.socket, data: Path) -> None:
    """Serves until SIGTERM or SIGINT; returns with the requests answered and nothing flushed yet."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=LAST_REQUESTS_S,
    )
    server = _Server(config, f"url={_url(listener)} data={data} collections={len(store.catalogue.collections)}")
    flushing = asyncio.create_task(_flush_now_and_then(store))
    try:
        await server.serve(sockets=[listener])
    finally:
        flushing.cancel()


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit code 0 on a signal, where uvicorn raises the signal again."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("ready %s", self._ready)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family is socket.AF_INET6 else f"http://{host}:{port}"


async def _flush_now_and_then(store: Store) -> None:
    while True:
        await asyncio.sleep(FLUSH_CHECK_S)
        try:
            store.flush_due(time.monotonic())
        except Exception:
            # A full disk, say: what was acknowledged is in the log, so go on answering and try again.
            log.exception("flush failed")
