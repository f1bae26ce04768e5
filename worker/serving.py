"""Which generation of the index this process works with, and how it changes over to another one without a pause.

The broker tells which generation is searched. A search asks that when it begins, in the request that marks it as begun,
and ends in the generation that it began in: its model and its collection, by the collection's own name. A search
process loads the next one beforehand, so that the first search in it is as quick as the rest.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.app import redis_of
from lookalike.broker.generations import Generation, GenerationState
from lookalike.errors import LookalikeError
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger
from lookalike.redis_keys import Keys
from lookalike.settings import Settings
from worker.connecting import load_embedder, opener_of, provider_of_index, qdrant_of
from worker.context import WorkerContext
from worker.errors import StoreRefused
from worker.index.collection import open_named
from worker.index.opener import IndexOpener
from worker.index.qdrant import call_store
from worker.inference.embedder import Embedder
from worker.inference.provider_selection import select_provider
from worker.retry_budget import retry_while_unavailable
from worker.searching.search_priority import SearchPriority

LOOK_EVERY_S = 5.0
log = get_logger(__name__)


@dataclass(frozen=True)
class Serving:
    """A generation with what a process needs for it: settings that name it, its model, the logic of the tasks."""

    # As the broker has it; None for the one that the settings name.
    told: bytes | None
    settings: Settings
    embedder: Embedder
    context: WorkerContext

    def opener(self) -> IndexOpener:
        """An opener of its index, with connections of its own."""
        return opener_of(self.settings, self.embedder)


def settings_of(settings: Settings, generation: Generation | None) -> Settings:
    """The settings with the model and the metric of a generation."""
    if generation is None:
        return settings
    return settings.model_copy(update={"model": generation.model, "distance": generation.distance})


def served_now(settings: Settings) -> Settings:
    """The settings with the model and the metric that are searched since the last switch. Raises Unavailable."""
    try:
        with redis_of(settings) as redis:
            return settings_of(settings, GenerationState(redis, settings.keys).served())
    except (RedisError, OSError) as error:
        raise Unavailable(f"the broker does not answer ({error})") from error


def load_serving(
    settings: Settings, told: bytes | None, priority: SearchPriority, *, rests_after_s: float | None = None
) -> Serving:
    """Loads a generation; its model rests after so many seconds (Embedder). Raises Misconfigured, StoreUnavailable."""
    generation = None if told is None else Generation.from_json(told)
    whole = settings_of(settings, generation)
    collection = None
    if generation is not None:
        client = qdrant_of(whole)
        collection = call_store(open_named, client, generation.collection)
        client.close()
    if collection is None:
        provider = select_provider(whole, lambda: provider_of_index(whole))
    else:
        provider = collection.identity.provider
    embedder = load_embedder(whole, provider, rests_after_s=rests_after_s)
    return Serving(told, whole, embedder, WorkerContext(whole, embedder, priority, collection=collection))


class Follower:
    """The generation of one process. `follow` is called by the thread of the tasks, at the beginning of each."""

    def __init__(self, redis: Redis, keys: Keys, load: Callable[[bytes | None], Serving], process: str) -> None:
        self._redis = redis
        self._keys = keys
        self._load = load
        self._process = process
        self._current: Serving | None = None
        self._prepared: Serving | None = None
        self._changing = threading.Lock()

    @property
    def current(self) -> Serving:
        """The generation to work with, loaded; waits for the store without end. Raises Misconfigured."""
        if self._current is None:
            told: bytes | None = None
            # A broker that does not answer now is asked again by each task.
            with suppress(RedisError, OSError):
                told = self._redis.get(self._keys.served)  # type: ignore[assignment]
            self._current = retry_while_unavailable(lambda: self._load(told), for_s=float("inf"))
        return self._current

    def look(self) -> None:
        """Asks the broker which generation is searched. One that does not answer changes nothing."""
        with suppress(RedisError, OSError):
            self.follow(self._redis.get(self._keys.served))  # type: ignore[arg-type]

    def follow(self, told: bytes | None) -> None:
        """Changes over if another generation is searched now; one that cannot be loaded now is tried again next time.

        Until then the one before answers: it is kept.
        """
        if told == self.current.told:
            return
        with self._changing:
            prepared = self._prepared
            try:
                serving = prepared if prepared is not None and prepared.told == told else self._load(told)
            except (LookalikeError, Unavailable, StoreRefused) as error:
                log.warning("the generation that is searched now cannot be loaded", why=str(error))
                return
            self._current, self._prepared = serving, None
        log.info("changed over", model=serving.embedder.card.name, distance=serving.settings.distance)

    def is_current(self) -> bool:
        """Whether this process works with what is searched. Raises RedisError."""
        return self._redis.get(self._keys.served) == self.current.told

    def prepare(self) -> None:
        """Loads what is to come, if something is, and reports it. Raises RedisError."""
        told: bytes | None = self._redis.get(self._keys.coming)  # type: ignore[assignment]
        if told is None or told == self.current.told:
            return
        with self._changing:
            if self._prepared is None or self._prepared.told != told:
                try:
                    serving = self._load(told)
                    serving.embedder.warm_up()
                    serving.context.warm_up()
                except (LookalikeError, Unavailable, StoreRefused) as error:
                    log.warning("the next generation cannot be loaded", why=str(error))
                    return
                self._prepared = serving
                log.info("next generation loaded", model=serving.embedder.card.name)
        GenerationState(self._redis, self._keys).report_ready(self._process)

    def start_preparing(self) -> None:
        """Starts a thread that looks for what is to come, and ends with the process."""
        threading.Thread(target=self._run, name="generations", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            try:
                self.prepare()
            except (RedisError, OSError):
                # The tasks report a broker that fails.
                continue
            except Exception:
                log.exception("looking for the next generation failed")
