"""`python -m edge`: reads the arguments, opens the data folder and the port, and joins them.

The API key comes from QDRANT__SERVICE__API_KEY, as with the server: every user of the machine can read arguments.

Exit codes: 0 after SIGTERM or SIGINT, 1 if the server cannot start (one sentence on stderr), 2 for usage, 3 if a host
process died and the server has to be started again.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from edge.app import create_app
from edge.errors import CannotStart
from edge.hnsw import HNSW_THRESHOLD, HnswBuilder
from edge.server import listen, serve
from edge.store import Store

EXIT_CANNOT_START = 1
EXIT_BROKEN = 3
LAST_PORT = 65_535


def main(arguments: list[str] | None = None) -> int:
    """Serves until a signal; returns the exit code."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    # Until uvicorn installs its handlers: opening a large folder takes seconds, and exiting meanwhile loses nothing.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        return asyncio.run(_serve(given))
    except CannotStart as error:
        sys.stderr.write(f"edge: {error}\n")
        return EXIT_CANNOT_START


async def _serve(given: argparse.Namespace) -> int:
    listener = listen(given.host, given.port)
    store = Store(given.data)
    try:
        await store.open()
        api_key = os.environ.get("QDRANT__SERVICE__API_KEY") or None
        app = create_app(store, given.host, body_limit_bytes=given.max_body_mib * 1024 * 1024, api_key=api_key)
        await serve(app, store, HnswBuilder(store, given.hnsw_threshold), listener, given.data)
    finally:
        await store.close()
    return EXIT_BROKEN if store.is_broken.is_set() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edge", description="Qdrant's REST API over the embedded engine, for one machine."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the collections; made if missing")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=_port, default=6333, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--max-body-mib", type=_at_least_one, default=32, help="refuse larger request bodies (%(default)s MiB)"
    )
    parser.add_argument(
        "--hnsw-threshold",
        type=_at_least_one,
        default=HNSW_THRESHOLD,
        help="build an HNSW index for what is above this number of points; fewer are searched exactly (%(default)s)",
    )
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LAST_PORT:
        raise ValueError(text)
    return number


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
