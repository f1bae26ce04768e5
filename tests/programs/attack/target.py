"""The gallery that is attacked, and the pictures that are sent to it."""

import io
import socket
import struct
import zlib
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image

ANSWER_S = 30
Status = int | str
"""Of an answer, or how the connection ended."""


class Target:
    """A gallery and the folder of its library; `slowest_s` is how long an answer took at most."""

    slowest_s = 0.0

    def __init__(self, url: str, library: Path) -> None:
        self._library = library
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.http = httpx.Client(
            base_url=url, trust_env=False, timeout=ANSWER_S, event_hooks={"response": [self._clock]}
        )

    def raw(self, head: str, body: bytes = b"") -> Status:
        """The status of what is answered to these bytes, or how the connection ended."""
        with socket.create_connection((self.host, self.port), ANSWER_S) as connection:
            try:
                connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + body)
                with connection.makefile("rb") as answer:
                    first = answer.readline()
            except (ConnectionError, TimeoutError) as error:
                return type(error).__name__
        return int(first.split()[1]) if first else "closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def _clock(self, response: httpx.Response) -> None:
        response.read()
        self.slowest_s = max(self.slowest_s, response.elapsed.total_seconds())

    def files(self) -> set[str]:
        """All that is in the library, and next to it."""
        return {str(path) for path in (*self._library.rglob("*"), *self._library.parent.iterdir())}

    def upload(self, *files: tuple[str, bytes], folder: str = "") -> Status:
        """The status of an upload."""
        return self.http.post(
            "/api/v1/images", files=[("image", file) for file in files], data={"folder": folder}
        ).status_code


def image(name: str) -> bytes:
    """A small picture."""
    out = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, name)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of so many pixels in a hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def is_refused(status: Status) -> bool:
    """Whether it is an answer that says so, or a connection that was closed."""
    if isinstance(status, str):
        return True
    is_clients_fault = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_clients_fault or status == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
