"""`python -m worker.generations switch|cancel|drop`: what `reindex` does at the store, each step safe to repeat.

switch   has the search processes load the second generation, leads the alias to it in one step, and tells the broker
cancel   drops the second generation, unless it is the one that is kept, and all that it has at the broker
drop     drops the generation that is kept

A second generation is made by `python -m worker.prepare` with LOOKALIKE_SUCCEEDS. Exit code 1 and one sentence on
stderr if something does not fit.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from qdrant_client import QdrantClient

from lookalike.broker.app import redis_of
from lookalike.broker.generations import Generation, GenerationState
from lookalike.broker.index_state import IndexState
from lookalike.broker.telemetry import Telemetry
from lookalike.errors import LookalikeError, Refused, Unreachable
from lookalike.library.errors import Unavailable
from lookalike.log import get_logger, log_to_stderr
from lookalike.settings import Settings, read_settings
from worker.connecting import qdrant_of
from worker.errors import StoreRefused
from worker.index.collection import (
    drop_alias,
    drop_collection,
    open_current,
    open_named,
    promote_collection,
)
from worker.index.qdrant import call_store
from worker.retry_budget import retry_while_unavailable

log = get_logger(__name__)

PATIENCE_S = 60.0
# Loading a ResNet-50 on a busy machine takes seconds; a process that comes later loads it with its first search.
READY_WITHIN_S = 60.0
POLL_S = 0.1
SWITCHED = "another generation of the index is searched now"


@dataclass(frozen=True)
class Generations:
    """The steps over one system's store and broker."""

    settings: Settings
    client: QdrantClient
    state: GenerationState
    index_state: IndexState
    count_searching: Callable[[], int]
    sleep: Callable[[float], None] = time.sleep
    now_s: Callable[[], float] = time.monotonic

    def switch(self) -> str:
        """The collection that is searched from now on. Raises Refused, StoreUnavailable."""
        asked = self.state.read()
        if asked is None or not asked.collection:
            raise Refused("There is no second generation that could be searched: `lookalike reindex` makes one.")
        new = Generation(asked.model, asked.distance, asked.collection)
        served = self.state.served()
        if served is None or served.collection != new.collection:
            before = served or self._first()
            self.state.announce(new)
            self._await_ready()
            if before is not None and before.collection != new.collection:
                self._keep(before, new)
            # A search that has begun goes on in its collection by name; the next one asks the broker.
            call_store(promote_collection, self.client, new.collection, self.settings.name)
            self.state.serve(new)
            log.warning("switched", to=new.collection, model=new.model, distance=new.distance)
            # What was sent before may have been written to the former one alone.
            self.index_state.report_change(SWITCHED, recreated=False)
        call_store(drop_alias, self.client, self.settings.keys.next.system)
        return new.collection

    def cancel(self) -> str:
        """The collection that was dropped; empty if there was none. Raises StoreUnavailable."""
        asked, kept = self.state.read(), self.state.kept()
        second = call_store(open_current, self.client, self.settings.keys.next.system)
        call_store(drop_alias, self.client, self.settings.keys.next.system)
        found = second.name if second is not None else "" if asked is None else asked.collection
        spared = {kept.collection} if kept is not None else set()
        return found if found and found not in spared and self._drop(found) else ""

    def drop(self) -> str:
        """The collection that was kept and is dropped. Raises Refused, StoreUnavailable."""
        kept = self.state.kept()
        if kept is None:
            raise Refused("No index from before a switch is kept.")
        self._drop(kept.collection)
        self.state.keep(None)
        return kept.collection

    def _keep(self, before: Generation, new: Generation) -> None:
        """Keeps the generation that was searched, and drops the one that was kept till now: one is kept at most."""
        kept = self.state.kept()
        if kept is not None and kept.collection not in (before.collection, new.collection):
            self._drop(kept.collection)
        self.state.keep(before)

    def _first(self) -> Generation | None:
        """What is searched before the first switch: the generation of the settings."""
        current = call_store(open_current, self.client, self.settings.name)
        return None if current is None else Generation(self.settings.model, self.settings.distance, current.name)

    def _await_ready(self) -> None:
        until_s = self.now_s() + READY_WITHIN_S
        while self.state.count_ready() < self.count_searching() and self.now_s() < until_s:
            self.sleep(POLL_S)

    def _drop(self, name: str) -> bool:
        """Drops a collection of this library that is not searched; whether it was there."""
        current = call_store(open_current, self.client, self.settings.name)
        found = call_store(open_named, self.client, name)
        if found is None or (current is not None and current.name == name):
            return False
        if current is not None and found.identity.library_id != current.identity.library_id:
            return False
        call_store(drop_collection, self.client, name)
        log.warning("dropped", collection=name)
        return True


def generations_of(settings: Settings) -> Generations:
    """Those of the settings. Connects when it is used."""
    redis = redis_of(settings)
    telemetry = Telemetry(redis, settings.keys)
    return Generations(
        settings,
        qdrant_of(settings),
        GenerationState(redis, settings.keys),
        IndexState(redis, settings.keys),
        lambda: telemetry.count_alive(["search"])["search"],
    )


def main() -> int:
    """Runs the program. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.generations", description="Switches or drops generations.")
    parser.add_argument("step", choices=("switch", "cancel", "drop"))
    step = parser.parse_args().step
    try:
        settings = read_settings()
        log_to_stderr(log_format=settings.log_format)
        done = retry_while_unavailable(getattr(generations_of(settings), step), for_s=PATIENCE_S)
    except (Unavailable, StoreRefused) as error:
        sys.stderr.write(f"{Unreachable(f'The store cannot be asked: {error}. Check QDRANT_URL.')}\n")
        return 1
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{done}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
