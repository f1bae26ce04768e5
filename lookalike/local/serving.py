"""One library served until a stop request: addresses, start, screen, and the start after a crash of the supervisor."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lookalike.broker.app import redis_of
from lookalike.client.status import Status
from lookalike.library.address import BucketAddress
from lookalike.library.joined.folders import read_joined, shown
from lookalike.local.console import LiveConsole, RestartCounter, live_line, polled
from lookalike.local.folders.library_identity import keep_identity
from lookalike.local.reindex_watch import ReindexWatch
from lookalike.local.servers.addresses import Addresses, choose_addresses, resolve_settings
from lookalike.local.servers.ports import ChoosePort
from lookalike.local.service.manager import ServiceManager
from lookalike.local.supervision.machine_limits import CrashLimit
from lookalike.local.supervision.preflight import wait_for_leftovers
from lookalike.local.supervision.processes import (
    Ports,
    ProcessSpec,
    prepare_spec,
    process_environment,
    reindex_spec,
)
from lookalike.local.supervision.start_counts import StartCounts
from lookalike.local.supervision.startup import Plan, RestartCheck, refuse_taken_port, start_all
from lookalike.local.supervision.stop_signals import StopRequest
from lookalike.local.supervision.supervisor import ProcessState, Supervisor
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.discovery import RunningSystem, publish, retract
from lookalike.system.runtime_dir import socket_of

SHOW_EVERY_S = 0.5
# While nothing changes: each look asks the supervisor and the broker.
CALM_EVERY_S = 5.0
ASKED_S = 2.0
# On a machine that is so busy that no search is answered by then, the other parts start all the same.
LONGEST_WAIT_S = 30.0

AskStatus = Callable[[Settings], Callable[[], Status]]
"""From the settings to the function that is polled; a LookalikeError means "not now"."""
Watch = Callable[[Mapping[str, ProcessState]], None]
"""Told about twice a second how the programs are."""
MakeSpecs = Callable[[Settings, Ports], Sequence[ProcessSpec]]


@dataclass
class Serving:
    """What stays the same when everything is started again; `up` describes its parts.

    `prepare`, with `rebuild`, is done once; `prepare_again` is the check of every later start.
    """

    settings: Settings
    folder: DataFolder
    library: Path | BucketAddress
    library_id: str
    screen: LiveConsole
    stop: StopRequest
    manager: ServiceManager
    suggested: str
    ask_status: AskStatus
    make_specs: MakeSpecs
    prepare: Sequence[str]
    prepare_again: Sequence[str]
    rebuild: bool
    open_page: Callable[[str], object] | None

    def run(self, choose_port: ChoosePort) -> None:
        """Returns when everything is stopped after a request. Raises PortTaken, Misconfigured, Unreachable."""
        addresses = choose_addresses(self.settings, self.folder, choose_port)
        whole = resolve_settings(self.settings, self.folder, addresses, self.library, self.library_id)
        running = _description(whole, addresses, self.folder, self.library, self.library_id)
        plan = Plan(
            self.folder,
            addresses,
            specs=self._specs(whole, addresses.ports, self.prepare),
            environment=process_environment(whole, os.environ),
            rebuild=self.rebuild,
        )
        supervisor = Supervisor(self.folder, plan.environment)
        crashes, wait = CrashLimit(), self.manager.feeding(self.stop.wait)
        try:
            if not wait_for_leftovers(self.folder, wait):
                return
            while start_all(supervisor, plan, wait, self.screen.show):
                self.prepare, self.rebuild = self.prepare_again, False
                keep_identity(self.library, self.library_id, self.folder)
                publish(self.folder, running)
                own = plan.own_servers()
                restarts = RestartCheck(plan.watched_servers(), supervisor.process_states(), confirmed=own)
                watches = _watches(whole, self.folder, running, supervisor)
                self._show(supervisor, plan, running, whole, restarts=restarts, watches=watches)
                if self.stop.requested:
                    break
                # It was killed, most likely; the kernel ended all parts with it.
                crashes.record_crash(time.monotonic(), self.folder)
                self.screen.say("The supervisor ended, and is started again with all parts.")
                if not wait_for_leftovers(self.folder, wait):
                    break
                plan = replace(plan, specs=self._specs(whole, addresses.ports, self.prepare), rebuild=self.rebuild)
        finally:
            if self.stop.requested:
                self.manager.stopping()
            supervisor.stop()
            retract(self.folder)

    def _specs(self, whole: Settings, ports: Ports, prepare: Sequence[str]) -> list[ProcessSpec]:
        return [*self.make_specs(whole, ports), reindex_spec(whole), prepare_spec(prepare)]

    def _show(
        self,
        supervisor: Supervisor,
        plan: Plan,
        running: RunningSystem,
        whole: Settings,
        *,
        restarts: RestartCheck,
        watches: Iterable[Watch],
    ) -> None:
        """Returns at a stop request or when supervisord has ended. Raises PortTaken; Misconfigured as RestartCheck."""
        self.manager.ready()
        self.screen.say(f"Gallery  {running.web_url}")
        self.screen.say(f"Flower   {running.flower_url}")
        self.screen.say(f"Library  {shown(running.library)}")
        self.screen.say(f"Data     {running.data}")
        self.screen.say(f"Search   {self.suggested} (in another terminal; Ctrl-C here stops everything)")
        starts, begun_s, have_waited = RestartCounter(), time.monotonic(), False
        wait = self.manager.feeding(self.stop.wait)
        pause_s, before = SHOW_EVERY_S, None
        with polled(self.ask_status(whole)) as latest:
            while not wait(pause_s):
                if not supervisor.is_alive():
                    return
                is_answered = latest.answer is not None and latest.answer.indexed is not None
                if not have_waited and (is_answered or time.monotonic() - begun_s > LONGEST_WAIT_S):
                    supervisor.start_stage("app", "late")
                    have_waited = True
                states = supervisor.process_states()
                for part, state in states.items():
                    starts.record_start(part, state.started_at)
                if any(state.has_ended for state in states.values()):
                    refuse_taken_port(supervisor, plan.addresses)
                restarts.check(states)
                if self.open_page is not None and running.web_url is not None and restarts.is_confirmed("web"):
                    self.open_page(running.web_url)
                    # Only once: after a crash the page is open already.
                    self.open_page = None
                for look in watches:
                    look(states)
                line = live_line(latest.answer, running.flower_url, starts.keep_dying(time.time()))
                self.screen.show(line)
                self.manager.status(line)
                now = (states, line)
                is_calm = have_waited and now == before
                pause_s = min(CALM_EVERY_S, 1.5 * pause_s) if is_calm else SHOW_EVERY_S
                before = now


def _watches(
    settings: Settings, folder: DataFolder, running: RunningSystem, supervisor: Supervisor
) -> tuple[Watch, ...]:
    # The broker's patience must not be that of the screen.
    redis = redis_of(settings, socket_timeout=ASKED_S, socket_connect_timeout=ASKED_S)
    return (
        ReindexWatch(settings, folder, running, supervisor, redis).look,
        StartCounts(redis, settings.keys).look,
    )


def _description(
    whole: Settings, addresses: Addresses, folder: DataFolder, library: Path | BucketAddress, library_id: str
) -> RunningSystem:
    return RunningSystem(
        pid=os.getpid(),
        data=folder.root,
        library=library,
        folders=_folders(library),
        library_id=library_id,
        name=whole.name,
        model=whole.model,
        distance=whole.distance,
        redis_url=addresses.redis_url,
        qdrant_url=addresses.qdrant_url,
        qdrant_api_key=None if whole.qdrant_api_key is None else whole.qdrant_api_key.get_secret_value(),
        flower_url=addresses.flower_url,
        flower_auth=None if whole.flower_auth is None else whole.flower_auth.get_secret_value(),
        web_url=addresses.web_url,
        supervisor_socket=socket_of(folder),
        extensions=whole.extensions,
        ignore=whole.ignore,
        ignore_defaults=whole.ignore_defaults,
    )


def _folders(library: Path | BucketAddress) -> tuple[Path, ...]:
    joined = read_joined(library) if isinstance(library, Path) else None
    return () if joined is None else tuple(joined.folders.values())
