"""Carries out what `lookalike reindex` asks for, and ends when that is done.

It fills in the second generation by a system of its own (second_system.py), has it searched once it agrees with the
library, and drops what is not wanted any more. It holds nothing that the broker does not: killed, it goes on when it is
started again.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from lookalike.broker.generations import GenerationState, Reindex, ReindexState
from lookalike.broker.index_state import IndexState
from lookalike.broker.task_events import TaskEvents
from lookalike.client import Client
from lookalike.client.status import Status
from lookalike.errors import LookalikeError, Unreachable
from lookalike.library.opening import asked_library
from lookalike.local.second_system import (
    SecondSystem,
    run_program,
    second_commands,
    second_environment,
    second_settings,
)
from lookalike.local.supervision.processes import prepare_command
from lookalike.log import get_logger
from lookalike.settings import Settings
from lookalike.system.generation_file import GenerationFile
from lookalike.system.service_paths import python_module
from lookalike.verify import Verification
from lookalike.verify_client import ClientIndex

log = get_logger(__name__)

TURN_S = 1.0
# While the second generation has nothing to do and is not compared yet.
CALM_TURN_S = 0.25
TRY_AGAIN_S = 5.0
# How long the second generation must have nothing to do before it is compared with the library.
CALM_S = 1.5
# Of worker/prepare.py, where it will not be otherwise the next time.
EXIT_UNFIT = 1
DIFFERS = "the second generation does not agree with the library"


@dataclass
class Reindexing:
    """One order after another until there is none. `sleep` waits between two turns; `beat` tells that it is at work."""

    settings: Settings
    redis: Redis
    sleep: Callable[[float], None] = time.sleep
    beat: Callable[[], None] = lambda: None
    _second: SecondSystem | None = None
    _client: Client | None = None
    _calm_since_s: float | None = None
    _agreed: bool = False
    _events: TaskEvents = field(init=False)

    def __post_init__(self) -> None:
        self._state = GenerationState(self.redis, self.settings.keys)
        self._events = TaskEvents(self.settings)

    def run(self) -> None:
        """Returns when nothing is asked for any more."""
        try:
            while self._turn():
                is_near = self._calm_since_s is not None and not self._agreed
                self.sleep(CALM_TURN_S if is_near else TURN_S)
        finally:
            self._stop()

    def _turn(self) -> bool:
        """One step; whether there is more to do."""
        self.beat()
        try:
            asked = self._state.read()
            if asked is None or not asked.order:
                return False
            if asked.order == "cancel":
                return self._cancel(asked)
            if asked.order == "drop":
                return self._drop()
            self._fill(asked)
        except _Unfit as error:
            return self._refuse(str(error))
        except (LookalikeError, RedisError, OSError) as error:
            # Broker, store, library or a process is starting or does not answer: the next turn sees.
            log.info("waiting", why=str(error))
            with suppress(RedisError, OSError):
                self._state.update(why=str(error))
            self.sleep(TRY_AGAIN_S)
        return True

    def _fill(self, asked: Reindex) -> None:
        if self._second is None:
            self._begin(asked)
            return
        self._second.keep_alive()
        if self._client is None:
            return
        status = self._client.status()
        self._report(asked, status)
        if not status.is_done:
            self._calm_since_s = None
            self._agreed = False
        elif self._calm_since_s is None:
            self._calm_since_s = time.monotonic()
        elif time.monotonic() - self._calm_since_s >= CALM_S and (self._agreed or self._agrees()):
            self._agreed = True
            if asked.hold and asked.order != "switch":
                self._note("held")
            else:
                self._switch(asked)

    def _begin(self, asked: Reindex) -> None:
        """Makes the second generation and starts what fills it in. Raises _Unfit if it cannot be, before it began."""
        if asked.state == "switching":
            # Cut off after the comparison.
            self._switch(asked)
            return
        begins = asked.state in ("asked", "checking")
        if begins:
            self._note("checking")
        settings = second_settings(self.settings, asked.model, asked.distance)
        second = SecondSystem(second_environment(settings, os.environ), second_commands(settings))
        # Room is looked for before it begins only: later the second one is part of what is used.
        made = second.run(prepare_command(rebuild=False, begins_second=begins))
        _check(made.returncode, made.stderr, begins=begins)
        collection = made.stdout.strip().splitlines()[-1]
        served = self._state.served()
        log.info("filling", collection=collection, before="" if served is None else served.collection)
        self._state.update(collection=collection, state="filling", why="")
        self._save()
        second.keep_alive()
        self._second, self._client = second, Client(settings)

    def _agrees(self) -> bool:
        """Whether the second generation agrees with the library, while nothing is left to do."""
        assert self._client is not None  # noqa: S101 (it is there once the second system is)
        self._note("verifying")
        index = ClientIndex(self._client, ())
        with asked_library(self._client.settings) as library:
            found = Verification(library, index, advance=lambda _files: self.beat()).run()
        if found.is_at_rest and not found.differing:
            return True
        if found.is_at_rest:
            IndexState(self.redis, self.settings.keys.next).report_change(DIFFERS, recreated=False)
        self._calm_since_s = None
        self._note("filling")
        return False

    def _switch(self, asked: Reindex) -> None:
        self._note("switching")
        self._save()
        failed = self._run("switch")
        if failed:
            raise Unreachable(failed)
        self._stop()
        self._state.clear_next()
        self._state.update(state="switched", order="", why="")
        self._save()
        self._events.succeeded(asked, f"searches use {asked.model}, {asked.distance} now")

    def _cancel(self, asked: Reindex) -> bool:
        self._note("cancelling")
        self._stop()
        failed = self._run("cancel")
        if failed:
            raise Unreachable(failed)
        self._state.end()
        self._save()
        self._events.cancelled(asked)
        return False

    def _drop(self) -> bool:
        failed = self._run("drop")
        self._state.update(order="", why=failed)
        self._save()
        return False

    def _refuse(self, why: str) -> bool:
        """Says why it cannot be, and leaves nothing behind."""
        log.error("refused", why=why)
        self._stop()
        self._run("cancel")
        asked = self._state.read()
        if asked is not None:
            self._events.refused(asked, why)
        self._state.clear_next()
        self._state.update(state="refused", order="", why=why, collection="")
        self._save()
        return False

    def _run(self, step: str) -> str:
        """Does a step at the store; the sentence that says why it failed, empty if it did not."""
        done = run_program(python_module("worker.generations", step), os.environ)
        return _last_line(done.stderr) if done.returncode else ""

    def _report(self, asked: Reindex, status: Status) -> None:
        """Tells how far it is."""
        finished = (status.indexed or 0) + (status.rejected or 0)
        # While the second system starts, it knows of no files.
        total = max(status.discovered, finished)
        self._state.update(
            done=finished,
            total=total,
            rate_per_s=status.rate_per_s,
            eta_s=status.eta_s,
            why=(status.paused and f"ingest is {status.paused}") or status.warning or "",
        )
        if not status.is_done:
            self._note("filling")
        self._events.progress(asked, finished, total)

    def _note(self, state: ReindexState) -> None:
        self._state.update(state=state)

    def _save(self) -> None:
        if self.settings.data is not None:
            GenerationFile(self.settings.data).save(self._state)

    def _stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._second is not None:
            self._second.stop()
        self._second = self._client = None
        self._calm_since_s, self._agreed = None, False


class _Unfit(Exception):
    """What was asked for cannot be: a sentence."""


def _check(exit_code: int, output: str, *, begins: bool) -> None:
    """Raises _Unfit if a program says that it cannot be, Unreachable if that may change: what is filled in stays."""
    if exit_code:
        why = _last_line(output)
        raise _Unfit(why) if begins and exit_code == EXIT_UNFIT else Unreachable(why)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
