"""Renews this worker's lease and requeues what holders of expired leases held. A thread of the main process.

Not a timer of Celery's loop: the loop stands still while the worker reconnects or finishes its tasks, and then other
workers would take over what is being worked on.
"""

import threading
import time
from collections.abc import Callable

from redis.client import Pipeline
from redis.exceptions import RedisError

from lookalike.broker.telemetry import until_common_time_s
from lookalike.log import get_logger
from worker.delivery.leases import Leases, died_here

RENEWALS = 4
# Share of a lease for which the broker must have answered. Every live worker has renewed by then: two timeouts of a
# connection and the time between two rounds are three quarters.
SETTLED = 0.8
# Each time scans all keys of the broker.
ADOPT_EVERY_S = 60.0
log = get_logger(__name__)


class Takeover(threading.Thread):
    """Makes four rounds in the time of a lease, for as long as the process lives."""

    def __init__(
        self,
        leases: Leases,
        *,
        lease_s: float,
        also: Callable[[Pipeline], object] = lambda _: None,
        now_s: Callable[[], float] = time.monotonic,
        wait_s: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(name="takeover", daemon=True)
        self._leases = leases
        self._lease_s = lease_s
        self._also = also
        self._now_s = now_s
        self._wait_s = wait_s
        # Since when the broker has answered each round, None if it did not answer the last.
        self._answers_since_s: float | None = None
        self._last_round_s = 0.0
        self._adopt_at_s = 0.0

    def run(self) -> None:
        """Never ends: without it other workers would take this one for dead."""
        while True:
            try:
                self.run_round()
            except (RedisError, OSError) as error:
                if self._answers_since_s is not None:
                    log.warning("the lease is not renewed", why=str(error))
                self._answers_since_s = None
            except Exception:
                log.exception("a round over the leases failed")
            self._wait_s(until_common_time_s(self._now_s(), self._lease_s / RENEWALS))

    def run_round(self) -> None:
        """Renews, and takes over from holders that are dead or expired. Raises RedisError."""
        now_s = self._now_s()
        if now_s - self._last_round_s > self._lease_s / 2:
            # This process was frozen, perhaps with all others on this machine.
            self._answers_since_s = None
        self._last_round_s = now_s
        others, expired = self._leases.renew(self._also)
        if self._answers_since_s is None:
            self._answers_since_s = now_s
        if now_s >= self._adopt_at_s:
            self._leases.adopt()
            self._adopt_at_s = now_s + ADOPT_EVERY_S
        dead = {other for other in others if died_here(other)}
        # A broker comes back with leases that expired meanwhile: give live workers the time to renew.
        is_settled = now_s - self._answers_since_s >= SETTLED * self._lease_s
        for other in dead | (expired if is_settled else set()):
            messages = self._leases.take_over(other, is_dead=other in dead)
            if messages:
                log.warning("took_over", holder=other, messages=messages)
