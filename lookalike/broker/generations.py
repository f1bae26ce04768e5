"""Generations of one system's index, kept by the broker: which is searched, which is kept, and how far `reindex` is.

    <name>:reindex   hash    order: fill, switch, cancel or drop, empty once that is done; model, distance, hold and
                             asked_at: what was asked for; state, why, done, total, rate_per_s, eta_s and collection:
                             how far it is
    <name>:served    string  the generation that is searched, as JSON; without it that of the settings
    <name>:kept      string  the one that was searched before, as JSON, and since when it is kept
    <name>:coming    string  the one that will be searched in a moment, as JSON; expires
    <name>:ready     set     the search processes that have loaded it; expires

Who asks writes the order, and the program that carries it out the rest (lookalike/local/reindexing.py).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from redis import Redis

from lookalike.broker.together import Question
from lookalike.redis_keys import Keys

Order = Literal["", "fill", "switch", "cancel", "drop"]
# "filling" and "verifying" until it agrees with the library; "held" if it is not to be searched yet.
ReindexState = Literal[
    "asked", "checking", "filling", "verifying", "held", "switching", "switched", "cancelling", "refused"
]
COMING_S = 300
DAY_S = 86_400.0


@dataclass(frozen=True)
class Generation:
    """A generation of the index: its model (a file, or the name of one), its metric, and its collection."""

    model: str
    distance: str
    collection: str
    # Unix time since which it is kept; 0.0 for one that is searched.
    kept_since: float = 0.0

    def to_json(self) -> str:
        """As the broker keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Generation":
        """What `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Reindex:
    """A reindex: what was asked for, and how far it is. Counts are files; `eta_s` is None while it is not known."""

    model: str
    distance: str
    state: ReindexState
    order: Order = ""
    # Filled in and not searched before it is asked for.
    hold: bool = False
    asked_at: float = 0.0
    done: int = 0
    total: int = 0
    rate_per_s: float = 0.0
    eta_s: float | None = None
    # Why it does not go on, or why it was refused: a sentence; empty if it goes on.
    why: str = ""
    collection: str = ""


class GenerationState:
    """Reads and writes the generations of one system. Methods raise RedisError if the broker does not answer."""

    def __init__(self, redis: Redis, keys: Keys, unix_s: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._keys = keys
        self._unix_s = unix_s

    def ask(self, model: str, distance: str, *, hold: bool) -> Reindex:
        """Asks for a second generation; replaces one that was asked for before."""
        asked = Reindex(model, distance, "asked", "fill", hold, self._unix_s())
        self.write(asked)
        return asked

    def order(self, order: Order) -> None:
        """Asks for the next step. Does nothing if there is no reindex, nor a generation that is kept."""
        asked, kept = self.read(), self.kept()
        if asked is not None:
            self.update(order=order, why="")
        elif kept is not None:
            self.write(Reindex(kept.model, kept.distance, "switched", order))

    def write(self, reindex: Reindex) -> None:
        """Replaces all that is known of it."""
        with self._redis.pipeline() as pipe:
            pipe.delete(self._keys.reindex)
            pipe.hset(self._keys.reindex, mapping=_texts(asdict(reindex)))  # type: ignore[arg-type]
            pipe.execute()

    def update(self, **fields: Any) -> None:
        """Writes some fields, of one that is there."""
        if self._redis.exists(self._keys.reindex):
            self._redis.hset(self._keys.reindex, mapping=_texts(fields))  # type: ignore[arg-type]

    def read(self) -> Reindex | None:
        """The reindex that was asked for last; None if there is none."""
        return self.reindex_question().ask(self._redis)

    def end(self) -> None:
        """Forgets the reindex, all that its generation kept at the broker, and what was to come."""
        self._redis.delete(self._keys.reindex)
        self.clear_next()

    def forget(self) -> None:
        """Forgets all generations but that of the settings, as after a rebuild."""
        self.end()
        self._redis.delete(self._keys.served, self._keys.kept)

    def clear_next(self) -> None:
        """Forgets what the second generation kept at the broker."""
        found = [*self._redis.scan_iter(match=f"{self._keys.next.system}:*", count=1000)]
        self._redis.delete(self._keys.coming, self._keys.ready, *found)

    def served(self) -> Generation | None:
        """The generation that is searched; None before the first switch."""
        return self.served_question().ask(self._redis)

    def serve(self, generation: Generation) -> None:
        """From now on this one is searched: each search asks for it when it begins."""
        self._redis.set(self._keys.served, generation.to_json())

    def kept(self) -> Generation | None:
        """The generation from before the last switch, while it is kept."""
        return self.kept_question().ask(self._redis)

    def reindex_question(self) -> Question[Reindex | None]:
        """Asks for what `read` returns."""
        return Question(("HGETALL", self._keys.reindex), _reindex)

    def served_question(self) -> Question[Generation | None]:
        """Asks for what `served` returns."""
        return Question(("GET", self._keys.served), _generation)

    def kept_question(self) -> Question[Generation | None]:
        """Asks for what `kept` returns."""
        return Question(("GET", self._keys.kept), _generation)

    def keep(self, generation: Generation | None) -> None:
        """Notes which one is kept from now on; None for none."""
        if generation is None:
            self._redis.delete(self._keys.kept)
        else:
            kept = replace(generation, kept_since=generation.kept_since or self._unix_s())
            self._redis.set(self._keys.kept, kept.to_json())

    def expire_kept(self, kept: Generation | None, days: float | None) -> None:
        """Asks for the end of what is kept for more than so many days, unless something else is asked for."""
        if kept is not None and days is not None and self._unix_s() - kept.kept_since > days * DAY_S:
            asked = self.read()
            if asked is None or not asked.order:
                self.order("drop")

    def announce(self, generation: Generation) -> None:
        """Tells search processes to load what they will need in a moment."""
        self._redis.delete(self._keys.ready)
        self._redis.set(self._keys.coming, generation.to_json(), ex=COMING_S)

    def coming(self) -> Generation | None:
        """The generation that was announced."""
        return _generation(self._redis.get(self._keys.coming))

    def report_ready(self, process: str) -> None:
        """A search process has loaded what is to come."""
        self._redis.sadd(self._keys.ready, process)
        self._redis.expire(self._keys.ready, COMING_S)

    def count_ready(self) -> int:
        """How many search processes have."""
        return int(self._redis.scard(self._keys.ready))


def _texts(fields: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in fields.items()}


def _reindex(found: dict[bytes, bytes]) -> Reindex | None:
    texts = {name.decode(): value.decode() for name, value in found.items()}
    if not {"model", "distance", "state"} <= texts.keys():
        return None
    return Reindex(
        model=texts["model"],
        distance=texts["distance"],
        state=texts["state"],  # type: ignore[arg-type]
        order=texts.get("order", ""),  # type: ignore[arg-type]
        hold=texts.get("hold") == "True",
        asked_at=float(texts.get("asked_at") or 0),
        done=int(texts.get("done") or 0),
        total=int(texts.get("total") or 0),
        rate_per_s=float(texts.get("rate_per_s") or 0),
        eta_s=float(texts["eta_s"]) if texts.get("eta_s") else None,
        why=texts.get("why", ""),
        collection=texts.get("collection", ""),
    )


def _generation(found: Any) -> Generation | None:
    return None if found is None else Generation.from_json(found)
