"""A server before a store that forgets, or that says it is an older one: what the store itself cannot be made to do.

It passes on everything but the `metadata` of new collections, as servers before 1.16 do and some proxies may.
"""

import dataclasses
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.faulty.between import Answer, Forward, Request, server_between
from tests.support.faulty.misbehaving import refusal

CREATION = re.compile(r"/collections/[^/]+")
JSON = {"content-type": "application/json"}


@contextmanager
def forgetful(url: str, *, version: str | None = None, closed: str | None = None) -> Iterator[str]:
    """URL to ask in place of the given one. It says it has this version, and answers what is like `closed` with 403."""

    def answer(request: Request, forward: Forward) -> Answer:
        target = f"{request.path}?{request.query}" if request.query else request.path
        if closed is not None and re.fullmatch(closed, f"{request.method} {target}"):
            return refusal(403, "Forbidden: Global access is required")
        if version is not None and request.path == "/":
            return Answer(200, json.dumps({"title": "qdrant", "version": version}).encode(), JSON)
        if request.method == "PUT" and CREATION.fullmatch(request.path) and closed is None:
            body = json.dumps({**json.loads(request.body), "metadata": None}).encode()
            return forward(dataclasses.replace(request, body=body))
        return forward(request)

    with server_between(url, answer) as between:
        yield between
