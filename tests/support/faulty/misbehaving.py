"""A server between a client and a store that passes requests on, or answers some of them badly itself."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.faulty.between import Answer, Request, server_between


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
    with server_between(url, lambda request, forward: faults.meet(request) or forward(request)) as between:
        yield between
