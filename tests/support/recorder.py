"""A server between a client and a store that passes everything on and keeps what was asked, as it was on the wire."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import ClassVar
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    body: bytes
    status: int


@contextmanager
def recorded(url: str) -> Iterator[tuple[str, list[Asked]]]:
    """URL to ask in place of the given one, and what was asked there so far."""
    asked: list[Asked] = []
    store = urlsplit(url).netloc

    class Between(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        passed: ClassVar = ("content-type", "api-key")

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() in self.passed}
            connection = HTTPConnection(store)
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                said = answer.read()
            finally:
                connection.close()
            parts = urlsplit(self.path)
            asked.append(Asked(self.command, parts.path, parts.query, body, answer.status))
            self.send_response(answer.status)
            self.send_header("content-type", answer.headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = pass_on  # noqa: N815 (the standard library's names)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
