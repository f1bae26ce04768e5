"""Pauses of ingest, kept by the broker: asked for by a person, or told by workers that found a reason of their own.

    <name>:pause        string  asked for: the Unix time until which, empty without an end; expires then
    <name>:pause:local  string  a worker's own reason (quiet hours, battery) and until when, as JSON; expires soon

The broker's clock ends a pause, because clocks of machines differ. What the broker keeps on disk survives a restart.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from redis import Redis

from lookalike.broker.together import Question, ask_together
from lookalike.redis_keys import Keys

PausedBy = Literal["command", "quiet hours", "battery"]
# How often a worker looks, and so how late it begins and ends a pause.
LOOK_S = 2.0
# Of a worker's own reason: it looked several times since.
LOCAL_TTL_S = 16


@dataclass(frozen=True)
class Pause:
    """A pause of ingest: why, and the Unix time of its end, None if that is not known."""

    by: PausedBy
    until_unix_s: float | None = None

    def in_words(self) -> str:
        """`paused until 18:00`, `paused by quiet hours until 18:00`, in local time."""
        why = {"command": "paused", "quiet hours": "paused by quiet hours", "battery": "paused while on battery"}
        if self.until_unix_s is None:
            return why[self.by] if self.by == "battery" else f"{why[self.by]} until `lookalike resume`"
        until, now = datetime.fromtimestamp(self.until_unix_s, UTC).astimezone(), datetime.now(UTC).astimezone()
        day = "" if until.date() == now.date() else f" on {until:%Y-%m-%d}"
        return f"{why[self.by]} until {until:%H:%M}{day}"


class PauseState:
    """Reads and writes the pauses of one system. Methods raise RedisError if the broker does not answer."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._asked_key, self._local_key = keys.pause, f"{keys.pause}:local"

    def ask(self, for_s: float | None) -> None:
        """Pauses from now on, for so many seconds or until `end`; replaces a pause that was asked for before."""
        if for_s is None:
            self._redis.set(self._asked_key, "")
            return
        seconds, microseconds = self._redis.time()
        until = seconds + microseconds / 1e6 + for_s
        self._redis.set(self._asked_key, repr(until), px=max(1, int(for_s * 1000)))

    def end(self) -> None:
        """Ends a pause that was asked for."""
        self._redis.delete(self._asked_key)

    def asked(self) -> Pause | None:
        """The pause that was asked for."""
        return self.questions()["asked"].ask(self._redis)

    def tell(self, local: Pause | None) -> None:
        """A worker's own reason, told again before it expires; None takes it back."""
        if local is None:
            self._redis.delete(self._local_key)
        else:
            self._redis.set(self._local_key, json.dumps(asdict(local)), ex=LOCAL_TTL_S)

    def read(self) -> Pause | None:
        """The pause now: one that was asked for before a worker's own."""
        found: dict[str, Pause | None] = ask_together(self._redis, {**self.questions()})
        return found["asked"] or found["local"]

    def questions(self) -> dict[str, Question[Pause | None]]:
        """`asked`: the pause that was asked for; `local`: a worker's own."""
        return {
            "asked": Question(("GET", self._asked_key), _asked),
            "local": Question(("GET", self._local_key), _told),
        }


def _told(found: bytes | None) -> Pause | None:
    return None if found is None else Pause(**json.loads(found))


def _asked(found: bytes | None) -> Pause | None:
    return None if found is None else Pause("command", float(found) if found else None)
