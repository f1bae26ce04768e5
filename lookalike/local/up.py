"""`lookalike up`: checks, starts, shows and stops everything on this machine. Joins the modules beside it."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lookalike.connections import Connections
from lookalike.local.addresses import choose_addresses, completed
from lookalike.local.admission import alone, need_extras, need_given_servers, need_locks, wait_for_leftovers
from lookalike.local.environment import environment_of
from lookalike.local.folder import data_folder, make
from lookalike.local.keeper import Keeper
from lookalike.local.latest import asked_again
from lookalike.local.library import identity_of, keep_identity, owned_by, usable_library
from lookalike.local.limits import files_limit, need_files
from lookalike.local.parts import Part, Ports, parts_of, prepare_command
from lookalike.local.ports import reserved_ports
from lookalike.local.running import Running, announce, withdraw
from lookalike.local.runtime import runtime_folder
from lookalike.local.screen import Screen, Starts, Status, live_line
from lookalike.local.space import Ends, need_space
from lookalike.local.starting import Plan, Restarts, start_all
from lookalike.local.stopping import Stop, stop_on_signals
from lookalike.settings import Settings
from lookalike.status import read_status

SHOW_EVERY_S = 0.5

AskStatus = Callable[[Settings], Callable[[], Status]]
"""From the settings to the question that is asked again and again; a LookalikeError means "not now"."""
MakeParts = Callable[[Settings, Ports], Sequence[Part]]


def status_of(settings: Settings) -> Callable[[], Status]:
    """What `lookalike status` asks."""
    opened = Connections(settings)
    return lambda: read_status(settings, opened.board, opened.sender)


def up(
    settings: Settings,
    library: Path,
    *,
    rebuild: bool = False,
    console: Console | None = None,
    ask_status: AskStatus = status_of,
    make_parts: MakeParts = parts_of,
    prepare: Sequence[str] | None = None,
) -> None:
    """Runs everything until Ctrl-C, SIGTERM, SIGHUP or `lookalike down`; returns when nothing is left.

    `ask_status` feeds the live line; `make_parts` and `prepare` say which programs run. Call it in the main thread:
    it takes those signals over, and the kernel ends the parts when the thread that started them ends.
    Raises Misconfigured, CollectionMismatch, Unreachable.
    """
    need_locks()
    need_extras()
    need_files(files_limit())
    folder = data_folder(settings)
    root = usable_library(library, folder)
    make(folder)
    need_space(folder)
    with stop_on_signals() as stop, alone(folder):
        if not wait_for_leftovers(folder, stop.wait):
            return
        withdraw(folder)
        need_given_servers(settings)
        identity = identity_of(root, folder, rebuild=rebuild, given=settings.library_id)
        former_ids = owned_by(folder).ids.keys() - {identity}
        with reserved_ports(runtime_folder()) as choose:
            addresses = choose_addresses(settings, folder, choose)
            whole = completed(settings, folder, addresses, root, identity)
            running = Running(
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
                extensions=whole.extensions,
                ignore=whole.ignore,
            )
            again = prepare_command(rebuild=False, former_ids=former_ids) if prepare is None else prepare
            anew = prepare_command(rebuild=rebuild, former_ids=former_ids) if prepare is None else prepare
            plan = Plan(
                folder,
                addresses,
                parts=make_parts(whole, addresses.ports),
                prepare=anew,
                environment=environment_of(whole, os.environ),
                rebuild=rebuild,
            )
            keeper = Keeper(folder, plan.parts, plan.environment)
            ends = Ends()
            try:
                with Screen(console or Console()) as screen:
                    while start_all(keeper, plan, stop.wait, screen.show):
                        keep_identity(root, identity, folder)
                        announce(folder, running)
                        restarts = Restarts(plan.own_servers(), keeper.seen())
                        _show(keeper, screen, running, ask_status(whole), stop, restarts=restarts)
                        if stop.asked:
                            break
                        # Killed, most likely; the kernel ended all parts with it.
                        ends.add(time.monotonic(), folder)
                        screen.say("The supervisor ended, and is started again with all parts.")
                        if not wait_for_leftovers(folder, stop.wait):
                            break
                        plan = replace(plan, prepare=again, rebuild=False)
            finally:
                keeper.stop()
                withdraw(folder)


def _show(
    keeper: Keeper, screen: Screen, running: Running, ask: Callable[[], Status], stop: Stop, *, restarts: Restarts
) -> None:
    """Returns when somebody asks to stop, or when the supervisor has ended. Raises Misconfigured, see Restarts."""
    screen.say(f"Flower   {running.flower_url}")
    screen.say(f"Library  {running.library}")
    screen.say(f"Data     {running.data}")
    screen.say("Search   lookalike search IMAGE (in another terminal; Ctrl-C here stops everything)")
    starts = Starts()
    with asked_again(ask) as latest:
        while not stop.wait(SHOW_EVERY_S):
            if not keeper.is_alive():
                return
            every = keeper.seen()
            for part, seen in every.items():
                starts.saw(part, seen.started_at)
            restarts.look(every)
            screen.show(live_line(latest.answer, running.flower_url, starts.keep_dying(time.time())))
