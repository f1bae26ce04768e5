"""A real S3 API on a free loopback port, served by moto, and a bucket in it that is written to without any client.

moto takes every signature for valid, so what is written here is not signed, and any key can be written.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import quote, urlsplit

from tests.support.valkey import free_port
from tests.support.waiting import wait_until

STARTS_WITHIN_S = 60.0
# As they may stand in a log by mistake: tests look for the second one.
SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
KEY_ID, SECRET_KEY = "AKIAEXAMPLEOFTESTS", "secret-of-the-tests/0123456789"


@dataclass(frozen=True)
class Bucket:
    """A bucket at a server's URL."""

    url: str
    name: str

    def make(self) -> None:
        """Makes it."""
        self._ask("PUT", "")

    def put(self, key: str, blob: bytes) -> None:
        """Writes an object."""
        self._ask("PUT", key, blob)

    def copy(self, old: str, new: str) -> None:
        """Copies an object within the bucket."""
        self._ask("PUT", new, headers={"x-amz-copy-source": quote(f"/{self.name}/{old}")})

    def move(self, old: str, new: str) -> None:
        """What a move is in a bucket: a copy, and the end of the first."""
        self.copy(old, new)
        self.delete(old)

    def delete(self, key: str) -> None:
        """Deletes an object."""
        self._ask("DELETE", key)

    def _ask(self, method: str, key: str, blob: bytes = b"", headers: dict[str, str] | None = None) -> None:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            target = f"/{self.name}/{quote(key)}" if key else f"/{self.name}"
            connection.request(method, target, blob, {"authorization": SIGNED, **(headers or {})})
            answer: HTTPResponse = connection.getresponse()
            body = answer.read()
            assert answer.status < 300, (answer.status, body)
        finally:
            connection.close()


@contextmanager
def object_store(*, page: int = 1000) -> Iterator[str]:
    """URL of a server of its own with so many keys on a page of a listing, which is killed in the end."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(page)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(url) or server.poll() is not None, STARTS_WITHIN_S)
        assert server.poll() is None, f"moto ended with {server.returncode}"
        yield url
    finally:
        server.kill()
        server.wait()


def access(url: str) -> dict[str, str]:
    """What the environment of a program must say that is to use the store at this URL."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
    }


def _answers(url: str) -> bool:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=1)
    try:
        connection.request("GET", "/moto-api/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
