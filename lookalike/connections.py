"""What a client opens to the broker. Each process has its own: a child of fork() leaves its parent's alone."""

import os
from collections.abc import Callable

from lookalike.broker import client_app, redis_of
from lookalike.errors import Closed
from lookalike.settings import Settings
from lookalike.telemetry import Telemetry
from lookalike.transport import CeleryTransport


class Connections:
    """Board and sender of one process. Nothing connects before it is used; `close` ends all of it."""

    def __init__(self, settings: Settings, *, name: str = "lookalike") -> None:
        self.redis = redis_of(settings)
        self.telemetry = Telemetry(self.redis, settings.names)
        self.transport = CeleryTransport(client_app(settings, name=name), settings.names)

    def close(self) -> None:
        """Closes what was opened, also what other threads opened."""
        self.transport.close()
        self.redis.close()


# What forebears opened and nobody here uses any more.
_inherited: list[Connections] = []


class PerProcess:
    """The connections of whichever process asks.

    Two processes that read and write one socket get each other's answers, so what was opened before a fork() is
    neither used nor closed after it: it stays referenced and untouched, which also keeps it from the garbage
    collector. The process is looked at whenever connections are asked for, because not every fork() calls Python's
    hooks. Making them twice, when two threads are the first, costs nothing: the second are never connected. So there
    is no lock, which a fork() could leave locked for good.
    """

    def __init__(self, make: Callable[[], Connections]) -> None:
        self._make = make
        self._opened: dict[object, Connections] = {}
        self._is_closed = False

    def here(self) -> Connections:
        """The connections of this process. Raises Closed."""
        self._need_open()
        process = _this_process()
        mine = self._opened.get(process)
        if mine is None:
            mine = self._opened.setdefault(process, self._make())
            if self._is_closed:
                mine.close()
                self._need_open()
        return mine

    def close(self) -> None:
        """Closes those of this process; nothing happens if there are none."""
        self._is_closed = True
        mine = self._opened.pop(_this_process(), None)
        _inherited.extend(self._opened.values())
        if mine is not None:
            mine.close()

    def _need_open(self) -> None:
        if self._is_closed:
            raise Closed("This client was closed: make another one.")


class _Births:
    """Tells a process from a forebear that had its number, as far as Python sees the forks."""

    latest = object()

    @classmethod
    def another(cls) -> None:
        cls.latest = object()


# Windows has no fork().
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Births.another)


def _this_process() -> tuple[int, object]:
    return os.getpid(), _Births.latest
