"""A server between a client and a store that passes requests on, or answers some of them badly itself."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    body: bytes

    @property
    def is_write(self) -> bool:
        """Whether points are written or deleted."""
        return (self.method == "PUT" and self.path.endswith("/points")) or self.path.endswith("/points/delete")


@dataclass(frozen=True)
class Answer:
    """What is answered in the store's place."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, words: str, **headers: str) -> Answer:
    """An answer as Qdrant's own."""
    body = json.dumps({"status": {"error": words}, "time": 0.0}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"content-type": "application/json", **named})


class Faults:
    """What goes wrong now: `rule` is asked for each request, None passes it on. Counts what it answered itself."""

    def __init__(self, rule: Callable[[Request], Answer | None] = lambda _: None) -> None:
        self.rule = rule
        self.answered = 0
        self.passed: list[Request] = []
        self._lock = threading.Lock()

    def meet(self, request: Request) -> Answer | None:
        """The answer to this request, or None."""
        with self._lock:
            answer = self.rule(request)
            if answer is None:
                self.passed.append(request)
            else:
                self.answered += 1
            return answer


def each(every: int, answer: Answer) -> Callable[[Request], Answer | None]:
    """Every so manyth write is answered so; the first ones, if it is one of two."""
    seen = 0

    def rule(request: Request) -> Answer | None:
        nonlocal seen
        seen += request.is_write
        return answer if request.is_write and seen % every == 1 % every else None

    return rule


@contextmanager
def misbehaving(url: str, faults: Faults) -> Iterator[str]:
    """URL to ask in place of the given one."""
    store = urlsplit(url).netloc

    class Between(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = faults.meet(Request(self.command, urlsplit(self.path).path, body)) or self.passed_on(body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def passed_on(self, body: bytes) -> Answer:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            connection = HTTPConnection(store)
            try:
                connection.request(self.command, self.path, body or None, kept)
                answer = connection.getresponse()
                said = answer.read()
            finally:
                connection.close()
            return Answer(answer.status, said, {"content-type": answer.headers.get("content-type", "text/plain")})

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = take  # noqa: N815 (the standard library's names)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
