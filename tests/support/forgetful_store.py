"""A server before a store that forgets, or that says it is an older one: what the store itself cannot be made to do.

It passes on everything but the `metadata` of new collections, as servers before 1.16 do and some proxies may.
"""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

CREATION = re.compile(r"/collections/[^/?]+(\?.*)?")


@contextmanager
def forgetful(url: str, *, version: str | None = None, closed: str | None = None) -> Iterator[str]:
    """URL to ask in place of the given one. It says it has this version, and answers what is like `closed` with 403."""
    store = urlsplit(url).netloc

    class Between(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if closed is not None and re.fullmatch(closed, f"{self.command} {self.path}"):
                self._answer(403, json.dumps({"status": {"error": "Forbidden: Global access is required"}}).encode())
            elif version is not None and self.path == "/":
                self._answer(200, json.dumps({"title": "qdrant", "version": version}).encode())
            else:
                if self.command == "PUT" and CREATION.fullmatch(self.path) and closed is None:
                    body = json.dumps({**json.loads(body), "metadata": None}).encode()
                self._answer(*self._asked(body))

        def _asked(self, body: bytes) -> tuple[int, bytes]:
            connection = HTTPConnection(store)
            try:
                connection.request(self.command, self.path, body or None, {"content-type": "application/json"})
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()

        def _answer(self, status: int, said: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
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
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
