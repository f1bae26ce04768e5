"""How the server and its hosts talk: frames over a socket pair, answered in their order. Knows neither HTTP nor engine.

request   lengths of head and body (unsigned 32 bit each), head: JSON of a Request, body: as the client sent it
reply     status (as in HTTP), length (unsigned 32 bit each), then JSON of the result, or the sentence of an error
"""

import socket
import struct
from dataclasses import dataclass

import orjson

REQUEST = struct.Struct("<II")
REPLY = struct.Struct("<II")
DONE = 200
# Room for a batch of 32 vectors in one go: 0.08 ms for a round trip with 350 kB, 0.04 with 5 (2 cores, 2026-11-21).
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """What is asked of a host: an operation on the shard in a folder, with the body of the client's request."""

    shard: str
    operation: str
    body: bytes = b""


def pair() -> tuple[socket.socket, socket.socket]:
    """The server's end and the host's."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return ends


def request_frame(request: Request) -> bytes:
    """A request as it is sent."""
    head = orjson.dumps([request.shard, request.operation])
    return b"".join([REQUEST.pack(len(head), len(request.body)), head, request.body])


def receive_request(server: socket.socket) -> Request | None:
    """The next request; None if the server is gone."""
    lengths = _exactly(server, REQUEST.size)
    if lengths is None:
        return None
    head_bytes, body_bytes = REQUEST.unpack(lengths)
    rest = _exactly(server, head_bytes + body_bytes)
    if rest is None:
        return None
    shard, operation = orjson.loads(rest[:head_bytes])
    return Request(shard, operation, bytes(rest[head_bytes:]))


def reply_frame(status: int, content: bytes) -> bytes:
    """A reply as it is sent."""
    return REPLY.pack(status, len(content)) + content


def _exactly(server: socket.socket, size_bytes: int) -> memoryview | None:
    received = memoryview(bytearray(size_bytes))
    filled = 0
    while filled < size_bytes:
        count = server.recv_into(received[filled:])
        if count == 0:
            return None
        filled += count
    return received
