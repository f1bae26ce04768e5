"""What `up` does for a reindex: starts the program that carries it out, and tells of the model after a switch."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.generations import Generation, GenerationState
from lookalike.broker.together import ask_together
from lookalike.local.supervision.processes import REINDEX
from lookalike.local.supervision.startup import NEVER
from lookalike.local.supervision.supervisor import ProcessState, Supervisor
from lookalike.settings import Distance, Settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.discovery import RunningSystem, publish

LOOK_EVERY_S = 1.0


@dataclass
class ReindexWatch:
    """Looks at the broker about once a second."""

    settings: Settings
    folder: DataFolder
    running: RunningSystem
    supervisor: Supervisor
    redis: Redis
    now_s: Callable[[], float] = time.monotonic
    _next_s: float = 0.0

    def __post_init__(self) -> None:
        self._state = GenerationState(self.redis, self.settings.keys)

    def look(self, states: Mapping[str, ProcessState]) -> None:
        """Starts the program if something is asked for, and asks for the end of what was kept for too long."""
        if self.now_s() < self._next_s:
            return
        self._next_s = self.now_s() + LOOK_EVERY_S
        with suppress(RedisError, OSError):
            found = ask_together(
                self.redis,
                {
                    "asked": self._state.reindex_question(),
                    "served": self._state.served_question(),
                    "kept": self._state.kept_question(),
                },
            )
            self._state.expire_kept(found["kept"], self.settings.keep_old_days)
            asked, state = found["asked"], states.get(REINDEX, NEVER)
            if asked is not None and asked.order and (state.started_at == 0 or state.has_ended):
                self.supervisor.start_aside(REINDEX)
            self._publish(found["served"])

    def _publish(self, served: Generation | None) -> None:
        if served is None or (served.model, served.distance) == (self.running.model, self.running.distance):
            return
        distance: Distance = next(each for each in get_args(Distance) if each == served.distance)
        self.running = self.running.model_copy(update={"model": served.model, "distance": distance})
        publish(self.folder, self.running)
