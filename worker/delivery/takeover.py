"""Renews this worker's lease, and puts back what others held whose lease has ended. A thread of the main process.

Not a timer of Celery's loop: that stands still while the worker connects again or finishes what it has in hand, and
then others would take over what is being worked on.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.worker.state import active_requests
from redis.exceptions import RedisError

from lookalike.log import fields
from worker.delivery.leases import Leases, died_here

RENEWALS = 5
# Share of a lease for which the broker must have answered. Who lives has renewed by then: two timeouts of a connection
# and the time between two looks are three fifths.
SETTLED = 0.8
# Looks at all keys of the broker.
ADOPT_EVERY_S = 60.0
log = logging.getLogger(__name__)


class Takeover(threading.Thread):
    """Looks five times in the time of a lease, for as long as the process lives."""

    def __init__(
        self,
        leases: Leases,
        *,
        lease_s: float,
        now_s: Callable[[], float] = time.monotonic,
        wait_s: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(name="takeover", daemon=True)
        self._leases = leases
        self._lease_s = lease_s
        self._now_s = now_s
        self._wait_s = wait_s
        # Since when the broker has answered each look, None if it did not answer the last.
        self._answers_since_s: float | None = None
        self._looked_at_s = 0.0
        self._adopt_at_s = 0.0

    def run(self) -> None:
        """Never ends: a worker without it would be taken for dead."""
        while True:
            try:
                self.look()
            except (RedisError, OSError) as error:
                if self._answers_since_s is not None:
                    log.warning("the lease is not renewed: %s", error)
                self._answers_since_s = None
            except Exception:
                log.exception("a look at the leases failed")
            self._wait_s(self._lease_s / RENEWALS)

    def look(self) -> None:
        """Renews, and takes over whose lease has ended. Raises RedisError."""
        now_s = self._now_s()
        if now_s - self._looked_at_s > self._lease_s / 2:
            # This process was frozen, perhaps with all others on this machine.
            self._answers_since_s = None
        self._looked_at_s = now_s
        others = self._leases.renew()
        if self._answers_since_s is None:
            self._answers_since_s = now_s
        if now_s >= self._adopt_at_s:
            self._leases.adopt()
            self._adopt_at_s = now_s + ADOPT_EVERY_S
        dead = {other for other in others if died_here(other)}
        # A broker that was away comes back with leases that ended meanwhile: whoever lives renews first.
        is_settled = now_s - self._answers_since_s >= SETTLED * self._lease_s
        for other in {*dead, *(self._leases.ended(others) if is_settled else ())}:
            messages = self._leases.take_over(other, is_dead=other in dead)
            if messages:
                log.warning(fields("took_over", holder=other, messages=messages))


def holding(leases: Leases, *, lease_s: float) -> type[bootsteps.StartStopStep]:
    """The step of Celery's consumer that holds the lease."""

    class Holding(bootsteps.StartStopStep):  # type: ignore[misc]
        """Each time the worker has connected: puts back what it holds and nobody works on, to be taken first.

        That is what was delivered and not begun when the broker went away: Celery forgets it then.
        """

        requires = ("celery.worker.consumer.connection:Connection",)
        thread: Takeover | None = None

        def start(self, _consumer: Any) -> None:
            """Called by Celery before it takes new messages; a broker that is away again makes it connect again."""
            # Before the first message: whoever takes a message must be known.
            leases.renew()
            in_hand = {request.message.delivery_tag for request in active_requests}
            put_back(lambda tag: tag not in in_hand)
            if self.thread is None:
                self.thread = Takeover(leases, lease_s=lease_s)
                self.thread.start()

        def shutdown(self, _consumer: Any) -> None:
            """Called by Celery when the processes have ended: what is left is not waited for until the lease ends."""
            try:
                put_back(lambda _: True)
            except (RedisError, OSError) as error:
                log.warning("what is in hand stays until the lease ends: %s", error)

    def put_back(which: Callable[[str], bool]) -> None:
        messages = leases.put_back_mine(which)
        if messages:
            log.info(fields("put_back", messages=messages))

    return Holding
