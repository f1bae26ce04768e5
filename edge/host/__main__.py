"""`python -m edge.host PARENT_PID FD`: serves the server at the other end of a socket until that is closed."""

import logging
import os
import select
import signal
import socket
import sys
import time

import orjson

from edge import FLUSH_WHEN_IDLE_S
from edge.child_process import die_with
from edge.errors import BadInput, Refused
from edge.host.operations import Shards
from edge.ipc import DONE, Request, receive_request, reply_frame

log = logging.getLogger("edge.host")

FLUSH_CHECK_S = 0.5
OUR_FAULT = 500


def main() -> None:
    """Ends without closing what is open: an orderly server has it closed before, and a dead one is succeeded soon."""
    parent_pid, descriptor = map(int, sys.argv[1:])
    # Terminals and process managers signal the whole group; the server says when its shards are to be closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    die_with(parent_pid)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    with socket.socket(fileno=descriptor) as server:
        _serve(server, Shards(FLUSH_WHEN_IDLE_S))
    os._exit(0)


def _serve(server: socket.socket, shards: Shards) -> None:
    while True:
        if select.select([server], [], [], FLUSH_CHECK_S)[0]:
            request = receive_request(server)
            if request is None:
                return
            server.sendall(reply_frame(*_answer(request, shards)))
        for shard in shards.due(time.monotonic()):
            try:
                shard.flush()
            except Exception:
                # A full disk, say: what was acknowledged is in the log, so go on answering and try again.
                log.exception("flush failed")


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
        # One that cannot be opened is told by the server, in one sentence with its remedy.
        if request.operation != "load":
            log.exception("%s failed", request.operation)
        return OUR_FAULT, str(error).encode()


if __name__ == "__main__":
    main()
