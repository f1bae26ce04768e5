"""`lookalike up`: checks, starts, shows and stops everything on this machine. Wires this folder's modules."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lookalike.broker.app import client_app, redis_of
from lookalike.client.celery_transport import CeleryTransport
from lookalike.client.status import Status, read_status
from lookalike.library.opening import candidates_of
from lookalike.local.addresses import absolute_model, choose_addresses, reserved_ports, resolve_settings
from lookalike.local.console import LiveConsole, RestartCounter, live_line, polled
from lookalike.local.data_version import bring_forward
from lookalike.local.first_search import first_search
from lookalike.local.library_folders import adopt_renamed, folder_of
from lookalike.local.library_identity import identity_of, keep_identity, owned_by, usable_library
from lookalike.local.machine_limits import CrashLimit, need_space
from lookalike.local.preflight import need_given_servers, need_host, only_up_on, wait_for_leftovers
from lookalike.local.processes import (
    Ports,
    ProcessSpec,
    prepare_command,
    process_environment,
    process_specs,
    reindex_spec,
)
from lookalike.local.reindex_watch import ReindexWatch
from lookalike.local.service_manager import ServiceManager
from lookalike.local.start_counts import StartCounts
from lookalike.local.startup import Plan, RestartCheck, Wait, start_all
from lookalike.local.stop_signals import stop_on_signals
from lookalike.local.supervisor import ProcessState, Supervisor
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.discovery import RunningSystem, publish, retract
from lookalike.system.generation_file import with_served
from lookalike.system.runtime_dir import ports_folder, socket_of

SHOW_EVERY_S = 0.5
ASKED_S = 2.0

AskStatus = Callable[[Settings], Callable[[], Status]]
"""From the settings to the function that is polled; a LookalikeError means "not now"."""
Watch = Callable[[Mapping[str, ProcessState]], None]
"""Told about twice a second how the programs are."""
MakeSpecs = Callable[[Settings, Ports], Sequence[ProcessSpec]]


def status_of(settings: Settings) -> Callable[[], Status]:
    """Reads what `lookalike status` shows."""
    transport = CeleryTransport(client_app(settings), settings.keys)
    return lambda: read_status(settings, transport)


def up(
    settings: Settings,
    library: Path,
    *,
    rebuild: bool = False,
    open_page: Callable[[str], object] | None = None,
    console: Console | None = None,
    ask_status: AskStatus = status_of,
    make_specs: MakeSpecs = process_specs,
    prepare: Sequence[str] | None = None,
) -> None:
    """Runs everything until Ctrl-C, SIGTERM, SIGHUP or `lookalike down`; returns when nothing is left.

    `open_page` is called with the gallery's address once that answers. `ask_status` feeds the live line; `make_specs`
    and `prepare` choose the programs. Call it in the main thread: it handles those signals, and the kernel ends the
    processes when the thread that started them ends.
    Raises Misconfigured, CollectionMismatch, Unreachable.
    """
    manager = ServiceManager(os.environ)
    need_host()
    folder = folder_of(library.expanduser().resolve(), settings)
    root = usable_library(library, folder)
    # Before anything is made: a pattern that cannot work is one sentence here, and would be the producer's end later.
    suggested = first_search(root, candidates_of(settings, root))
    make_data_folder(folder)
    need_space(folder)
    with stop_on_signals() as stop, only_up_on(folder):
        wait = manager.feeding(stop.wait)
        if not wait_for_leftovers(folder, wait):
            return
        retract(folder)
        bring_forward(folder)
        need_given_servers(settings)
        settings = settings if rebuild else with_served(settings, folder.root, absolute_model)
        former_root = adopt_renamed(root, folder, settings.library_id)
        identity = identity_of(root, folder, rebuild=rebuild, given=settings.library_id)
        former_ids = owned_by(folder).ids.keys() - {identity}
        with reserved_ports(ports_folder()) as choose_port:
            addresses = choose_addresses(settings, folder, choose_port)
            whole = resolve_settings(settings, folder, addresses, root, identity)
            running = RunningSystem(
                pid=os.getpid(),
                data=folder.root,
                library=root,
                library_id=identity,
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
            later = prepare_command(rebuild=False, former_ids=former_ids) if prepare is None else prepare
            plan = Plan(
                folder,
                addresses,
                specs=[*make_specs(whole, addresses.ports), reindex_spec(whole)],
                prepare=prepare_command(rebuild=rebuild, former_ids=former_ids) if prepare is None else prepare,
                environment=process_environment(whole, os.environ),
                rebuild=rebuild,
            )
            supervisor = Supervisor(folder, plan.specs, plan.environment)
            crashes = CrashLimit()
            try:
                with LiveConsole(console or Console()) as screen:
                    if former_root is not None:
                        screen.say(f"Known    as {former_root}: its index is kept")
                    while start_all(supervisor, plan, wait, screen.show):
                        keep_identity(root, identity, folder)
                        publish(folder, running)
                        own = plan.own_servers()
                        restarts = RestartCheck(plan.watched_servers(), supervisor.process_states(), confirmed=own)
                        _show(
                            supervisor, screen, running, ask_status(whole), wait,
                            manager=manager, restarts=restarts, suggested=suggested, open_page=open_page,
                            watches=_watches(whole, folder, running, supervisor),
                        )  # fmt: skip
                        # Only once: after a crash the page is open already.
                        open_page = None
                        if stop.requested:
                            break
                        # It was killed, most likely; the kernel ended all parts with it.
                        crashes.record_crash(time.monotonic(), folder)
                        screen.say("The supervisor ended, and is started again with all parts.")
                        if not wait_for_leftovers(folder, wait):
                            break
                        plan = replace(plan, prepare=later, rebuild=False)
            finally:
                manager.stopping()
                supervisor.stop()
                retract(folder)


def _show(
    supervisor: Supervisor,
    screen: LiveConsole,
    running: RunningSystem,
    ask: Callable[[], Status],
    wait: Wait,
    *,
    manager: ServiceManager,
    restarts: RestartCheck,
    suggested: str,
    watches: Iterable[Watch],
    open_page: Callable[[str], object] | None,
) -> None:
    """Returns at a stop request or when supervisord has ended. Raises Misconfigured, see RestartCheck."""
    manager.ready()
    screen.say(f"Gallery  {running.web_url}")
    screen.say(f"Flower   {running.flower_url}")
    screen.say(f"Library  {running.library}")
    screen.say(f"Data     {running.data}")
    screen.say(f"Search   {suggested} (in another terminal; Ctrl-C here stops everything)")
    starts = RestartCounter()
    with polled(ask) as latest:
        while not wait(SHOW_EVERY_S):
            if not supervisor.is_alive():
                return
            states = supervisor.process_states()
            for part, state in states.items():
                starts.record_start(part, state.started_at)
            restarts.check(states)
            if open_page is not None and running.web_url is not None and restarts.is_confirmed("web"):
                open_page(running.web_url)
                open_page = None
            for look in watches:
                look(states)
            line = live_line(latest.answer, running.flower_url, starts.keep_dying(time.time()))
            screen.show(line)
            manager.status(line)


def _watches(
    settings: Settings, folder: DataFolder, running: RunningSystem, supervisor: Supervisor
) -> tuple[Watch, ...]:
    # The broker's patience must not be that of the screen.
    redis = redis_of(settings, socket_timeout=ASKED_S, socket_connect_timeout=ASKED_S)
    return (
        ReindexWatch(settings, folder, running, supervisor, redis).look,
        StartCounts(redis, settings.keys).look,
    )
