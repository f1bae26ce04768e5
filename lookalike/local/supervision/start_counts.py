"""Counts in the broker how often the parts were started that do not count that themselves: servers and pages."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.measurements import write_measured
from lookalike.broker.telemetry import BEATING_PARTS
from lookalike.local.supervision.supervisor import ProcessState
from lookalike.redis_keys import Keys
from lookalike.system.parts import PART_NAMES

WRITE_EVERY_S = 1.0


class StartCounts:
    """Told of the states of all programs; what the broker does not take, its own start included, waits for it."""

    def __init__(self, redis: Redis, keys: Keys, now_s: Callable[[], float] = time.monotonic) -> None:
        self._redis, self._keys, self._now_s = redis, keys, now_s
        self._last: dict[str, int] = {}
        self._pending: Counter[str] = Counter()
        self._next_s = 0.0

    def look(self, states: Mapping[str, ProcessState]) -> None:
        """Counts each start that was not seen before, and writes at most once a second."""
        for part in PART_NAMES:
            started_at = states[part].started_at if part in states else 0
            if part not in BEATING_PARTS and started_at not in (0, self._last.get(part)):
                self._last[part] = started_at
                self._pending[f"starts:{part}"] += 1
        if not self._pending or self._now_s() < self._next_s:
            return
        self._next_s = self._now_s() + WRITE_EVERY_S
        with suppress(RedisError, OSError):
            write_measured(self._redis, self._keys, dict(self._pending))
            self._pending.clear()
