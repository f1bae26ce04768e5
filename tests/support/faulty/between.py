"""A server between a client and a store: one function is given each request, and answers it or forwards it."""

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True)
class Request:
    """What was asked; `query` is what follows the question mark."""

    method: str
    path: str
    body: bytes
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_write(self) -> bool:
        """Whether points are written or deleted."""
        return (self.method == "PUT" and self.path.endswith("/points")) or self.path.endswith("/points/delete")


@dataclass(frozen=True)
class Answer:
    """What is answered: by the store, or in its place."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Forward = Callable[[Request], Answer]
"""Asks the store."""


@contextmanager
def server_between(url: str, answer: Callable[[Request, Forward], Answer | None]) -> Iterator[str]:
    """URL to ask in place of the given one; `answer` is called in the thread of each connection.

    For None the connection is closed without an answer.
    """
    store = urlsplit(url).netloc

    def forward(request: Request) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection = HTTPConnection(store)
        try:
            connection.request(request.method, target, request.body or None, kept)
            found = connection.getresponse()
            return Answer(found.status, found.read(), {"content-type": found.headers.get("content-type", "text/plain")})
        finally:
            connection.close()

    class Between(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Otherwise the body waits for the client to acknowledge the headers.
        disable_nagle_algorithm = True

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = urlsplit(self.path)
            request = Request(self.command, parts.path, body, parts.query, dict(self.headers.items()))
            answered = answer(request, forward)
            if answered is None:
                self.close_connection = True
                return
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answered.body)))
            self.end_headers()
            self.wfile.write(answered.body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815 (the standard library's names)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
