"""A client's connections to the broker, separate for each process: a child of fork() does not use its parent's."""

import os
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from lookalike.broker.app import client_app, redis_of
from lookalike.broker.telemetry import Telemetry
from lookalike.broker.traces import traces_of
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.errors import Closed
from lookalike.settings import Settings


class Connections:
    """Telemetry and transport of one process. They connect when first used; `close` ends all connections."""

    def __init__(self, settings: Settings, *, name: str = "lookalike") -> None:
        self.redis = redis_of(settings)
        self.telemetry = Telemetry(self.redis, settings.keys)
        self.transport = CeleryTransport(
            client_app(settings, name=name), settings.keys, traces_of(settings, f"lookalike-{name}")
        )

    def close(self) -> None:
        """Closes all connections, those of other threads included."""
        self.transport.close()
        self.redis.close()


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Ends it."""


Opened = TypeVar("Opened", bound=Closable)
# What parent processes opened, unused here.
_inherited: list[Closable] = []


class PerProcess(Generic[Opened]):
    """The transport of the calling process, or something else that does not survive a fork().

    Two processes that share a socket get each other's answers, so connections opened before a fork() are neither used
    nor closed after it: they stay referenced, which also keeps the garbage collector from closing them. The process is
    checked on each call, because not every fork() runs Python's hooks. If two threads call first at once, the second
    set of connections is dropped unconnected. So no lock is needed, which a fork() could leave locked for good. Without
    `closes` it is not ours to close.
    """

    def __init__(self, make: Callable[[], Opened], *, closes: bool = True) -> None:
        self._make = make
        self._closes = closes
        self._opened: dict[object, Opened] = {}
        self._is_closed = False

    def here(self) -> Opened:
        """That of this process. Raises Closed."""
        self._check_open()
        process = _this_process()
        mine = self._opened.get(process)
        if mine is None:
            mine = self._opened.setdefault(process, self._make())
            if self._is_closed:
                self._end(mine)
                self._check_open()
        return mine

    def close(self) -> None:
        """Closes the connections of this process, if there are any."""
        self._is_closed = True
        mine = self._opened.pop(_this_process(), None)
        _inherited.extend(self._opened.values())
        if mine is not None:
            self._end(mine)

    def _end(self, opened: Opened) -> None:
        if self._closes:
            opened.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise Closed("This client was closed: make another one.")


class _ForkMarker:
    """Tells a process from an ancestor that had the same pid, as far as Python sees the forks."""

    latest = object()

    @classmethod
    def renew(cls) -> None:
        cls.latest = object()


# Windows has no fork().
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ForkMarker.renew)


def _this_process() -> tuple[int, object]:
    return os.getpid(), _ForkMarker.latest
