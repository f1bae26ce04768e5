"""A server between a client and a store that passes everything on and keeps what was asked, as it was on the wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.faulty.between import Answer, Forward, Request, server_between


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

    def answer(request: Request, forward: Forward) -> Answer:
        found = forward(request)
        asked.append(Asked(request.method, request.path, request.query, request.body, found.status))
        return found

    with server_between(url, answer) as between:
        yield between, asked
