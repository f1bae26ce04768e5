"""A pool that has fewer processes while nothing is to be done: the others end, and are forked again for a message."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from celery import bootsteps
from celery.signals import task_received
from celery.worker.state import reserved_requests, scheduled_requests

from lookalike.log import get_logger

LOOK_S = 60.0
log = get_logger(__name__)


class Pool(Protocol):
    """As much of Celery's prefork pool as resting needs."""

    @property
    def num_processes(self) -> int:
        """How many it has, or will have in a moment."""

    def grow(self, n: int) -> None:
        """Asks for n more."""

    def shrink(self, n: int) -> None:
        """Ends n that do nothing."""

    def maintain_pool(self) -> None:
        """Starts what was asked for."""


class RestingPool:
    """Leaves `fewest` processes when nothing was in hand for `idle_s` seconds, and knows how many it ended.

    Celery's own autoscaler would begin with the fewest, and let messages with a countdown wait for the next one.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        fewest: int,
        idle_s: float,
        is_busy: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._fewest = fewest
        self._idle_s = idle_s
        self._is_busy = is_busy
        self._now_s = now_s
        self._used_s = now_s()
        self._ended = 0

    def wake(self) -> None:
        """Called for each message: all processes are there again within a second."""
        self._used_s = self._now_s()
        ended, self._ended = self._ended, 0
        if ended:
            self._pool.grow(ended)
            self._pool.maintain_pool()
            log.info("processes started again", processes=ended)

    def rest_if_due(self) -> None:
        """Called now and then."""
        surplus = self._pool.num_processes - self._fewest
        if self._is_busy():
            self._used_s = self._now_s()
        elif surplus > 0 and self._now_s() - self._used_s >= self._idle_s:
            self._pool.shrink(surplus)
            self._ended += surplus
            log.info("processes ended", processes=surplus, unused_s=self._idle_s)


def rest_step(idle_s: float, *, fewest: int) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that lets its pool rest."""

    class Rest(bootsteps.StartStopStep):  # type: ignore[misc]
        """Knows of each message before Celery hands it to the pool, those with a countdown included."""

        requires = ("celery.worker.consumer.tasks:Tasks",)
        resting: RestingPool | None = None
        timer: Any = None

        def start(self, consumer: Any) -> None:
            """Called by Celery each time it has connected, before it takes messages."""
            self.stop(consumer)
            if self.resting is None:
                self.resting = RestingPool(consumer.pool, fewest=fewest, idle_s=idle_s, is_busy=_is_busy)
            resting = self.resting

            def wake(**_: Any) -> None:
                resting.wake()

            task_received.connect(wake, weak=False, dispatch_uid=__name__)
            self.timer = consumer.timer.call_repeatedly(min(LOOK_S, idle_s), resting.rest_if_due)

        def stop(self, _consumer: Any) -> None:
            """Called by Celery when the connection is lost, and at the end."""
            task_received.disconnect(dispatch_uid=__name__)
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    return Rest


def _is_busy() -> bool:
    return bool(reserved_requests or scheduled_requests)
