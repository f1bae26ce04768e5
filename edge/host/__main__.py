"""`python -m edge.host PARENT_PID FD`: answers requests from a socket until the other end is closed."""

import logging
import os
import select
import signal
import socket
import sys
import time

import orjson

from edge import FLUSH_WHEN_IDLE_S
from edge.child_process import die_with_parent
from edge.errors import BadInput, Refused
from edge.host.operations import Shards
from edge.ipc import DONE, Request, receive_request, reply_frame

log = logging.getLogger("edge.host")

FLUSH_CHECK_S = 0.5
INTERNAL_ERROR = 500
# A minute after the last search or write; the one after that takes some milliseconds longer.
RELEASE_AFTER_S = 60.0
# What the server and the workers ask once in a while, to see that all is well.
LOOKS = ("info", "size", "vectors", "count")


def main() -> None:
    """Ends without closing shards: an orderly server has closed them, and after a crash the log is replayed."""
    parent_pid, descriptor = map(int, sys.argv[1:])
    # Terminals and process managers signal the whole group; the server decides when its shards are closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent(parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    with socket.socket(fileno=descriptor) as server:
        _serve(server, Shards(FLUSH_WHEN_IDLE_S))
    os._exit(0)


def _serve(server: socket.socket, shards: Shards) -> None:
    # Since when nothing but its size was asked for; None once its pages are let go.
    unused_s: float | None = time.monotonic()
    while True:
        if select.select([server], [], [], _longest_wait_s(shards, unused_s))[0]:
            request = receive_request(server)
            if request is None:
                return
            server.sendall(reply_frame(*_answer(request, shards)))
            if request.operation not in LOOKS:
                unused_s = time.monotonic()
        elif unused_s is not None and time.monotonic() - unused_s >= RELEASE_AFTER_S:
            shards.release_mapped()
            unused_s = None
        for shard in shards.due_for_flush(time.monotonic()):
            try:
                shard.flush()
            except Exception:
                # For example a full disk: acknowledged writes are in the log, so go on answering and retry.
                log.exception("flush failed")


def _longest_wait_s(shards: Shards, unused_s: float | None) -> float | None:
    if shards.has_unflushed:
        return FLUSH_CHECK_S
    return None if unused_s is None else max(0.0, unused_s + RELEASE_AFTER_S - time.monotonic())


def _answer(request: Request, shards: Shards) -> tuple[int, bytes]:
    try:
        body = orjson.loads(request.body) if request.body else None
    except orjson.JSONDecodeError as error:
        return BadInput.status, f"Format error in JSON body: {error}".encode()
    try:
        return DONE, orjson.dumps(shards.perform(request.shard, request.operation, body, time.monotonic()))
    except Refused as error:
        return error.status, str(error).encode()
    except Exception as error:
        # The server reports a shard that cannot be opened, in one sentence with its remedy.
        if request.operation != "load":
            log.exception("%s failed", request.operation)
        return INTERNAL_ERROR, str(error).encode()


if __name__ == "__main__":
    main()
