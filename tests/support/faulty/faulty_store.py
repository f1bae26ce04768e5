"""A server before an object store: it counts, and can throttle, fail, cut listings, deny, break off and be slow."""

import http.server
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import parse_qs, urlsplit

HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "accept-encoding"})
OWN = frozenset({"connection", "transfer-encoding"})
CONTENTS = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
TRUNCATED = re.compile(rb"<IsTruncated>\w+</IsTruncated>|<NextContinuationToken>.*?</NextContinuationToken>", re.DOTALL)
# How long the end of a test waits.
POLL_S = 0.02
ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>by the test</Message></Error>'


@dataclass
class Faults:
    """What goes wrong from now on; set back by `heal`. Shares are between 0 and 1."""

    throttled: float = 0.0
    failing: float = 0.0
    # Such a listing shows a part of its first page, or nothing, and says that this was all.
    cut_listings: float = 0.0
    empty_listings: bool = False
    failing_listings: bool = False
    # Code of the answer to every request, such as ExpiredToken.
    denied: str = ""
    slow_s: float = 0.0
    # Answers that end in the middle.
    broken_off: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def heal(self) -> None:
        """Lets everything work."""
        self.throttled = self.failing = self.cut_listings = self.slow_s = self.broken_off = 0.0
        self.empty_listings, self.failing_listings, self.denied = False, False, ""

    def instead(self, kind: str) -> tuple[int, str] | None:
        """Status and code of an answer in place of the store's, if there is one."""
        if self.slow_s:
            time.sleep(self.slow_s)
        if self.denied:
            return 403, self.denied
        if self.chance.random() < self.throttled:
            return 503, "SlowDown"
        if self.failing_listings and kind == "LIST":
            return 500, "InternalError"
        return (500, "InternalError") if self.chance.random() < self.failing else None


@dataclass
class Seen:
    """Requests and bytes of answers by method, with LIST for a listing, and faults by kind."""

    requests: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    body_bytes: Counter[str] = field(default_factory=Counter)
    now: int = 0
    most_at_once: int = 0


@dataclass(frozen=True)
class FaultyStore:
    """The server's URL, its faults, and what it has seen."""

    url: str
    faults: Faults
    seen: Seen


@contextmanager
def faulty_store(behind: str) -> Iterator[FaultyStore]:
    """A server before the store at the URL `behind`."""
    server = _Server(urlsplit(behind).netloc)
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="faulty-store", daemon=True)
    thread.start()
    try:
        yield FaultyStore(f"http://127.0.0.1:{server.server_address[1]}", server.faults, server.seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Between)
        self.behind, self.faults, self.seen = behind, Faults(), Seen()
        self._lock = threading.Lock()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts how many are asked at once."""
        with self._lock:
            self.seen.now += 1
            self.seen.most_at_once = max(self.seen.now, self.seen.most_at_once)
        yield
        with self._lock:
            self.seen.now -= 1


class _Between(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def ask(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = "LIST" if "list-type" in parse_qs(urlsplit(self.path).query) else self.command
        self.server.seen.requests[kind] += 1
        with self.server.counting():
            self._ask(kind, body)

    def _ask(self, kind: str, body: bytes) -> None:
        instead = self.server.faults.instead(kind)
        if instead is not None:
            status, code = instead
            self.server.seen.faults[code] += 1
            self._answer(kind, status, {"content-type": "application/xml"}, ERROR.format(code).encode())
            return
        status, headers, found = self._forward(body)
        if kind == "LIST" and status == http.HTTPStatus.OK:
            found = self._cut(found)
        self._answer(kind, status, headers, found)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = ask  # noqa: N815 (names of http.server)

    def handle(self) -> None:
        """Outlives a client that was killed."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _cut(self, found: bytes) -> bytes:
        faults = self.server.faults
        if not faults.empty_listings and faults.chance.random() >= faults.cut_listings:
            return found
        self.server.seen.faults["cut"] += 1
        entries = CONTENTS.findall(found)
        for dropped in entries[0 if faults.empty_listings else len(entries) // 2 :]:
            found = found.replace(dropped, b"", 1)
        end = b"</ListBucketResult>"
        return TRUNCATED.sub(b"", found).replace(end, b"<IsTruncated>false</IsTruncated>" + end)

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection = HTTPConnection(self.server.behind, timeout=60)
        try:
            connection.request(self.command, self.path, body or None, kept)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except (OSError, HTTPException):
            return 503, {}, ERROR.format("ServiceUnavailable").encode()
        finally:
            connection.close()

    def _answer(self, kind: str, status: int, headers: dict[str, str], body: bytes) -> None:
        is_head, faults = self.command == "HEAD", self.server.faults
        # That of a HEAD is the size of the object.
        size = headers.get("Content-Length", "0") if is_head else str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in OWN and name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("content-length", size)
        self.end_headers()
        if is_head:
            return
        if kind == "GET" and faults.chance.random() < faults.broken_off:
            self.server.seen.faults["broken off"] += 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.server.seen.body_bytes[kind] += len(body)
        self.wfile.write(body)
