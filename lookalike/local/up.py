"""`lookalike up`: checks, takes the data folder, and serves the library. Wires this folder's modules."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from lookalike.broker.app import client_app
from lookalike.client.live_status import LiveStatus
from lookalike.client.status import Status
from lookalike.client.transports.celery_transport import CeleryTransport
from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress, absolute
from lookalike.local.console import LiveConsole
from lookalike.local.first_search import suggested_search
from lookalike.local.folders.data_version import bring_forward
from lookalike.local.folders.joining import check_folders, join
from lookalike.local.folders.library_folders import adopt_renamed, folder_of
from lookalike.local.folders.library_identity import identity_of, owned_by, usable_library
from lookalike.local.servers.addresses import absolute_model
from lookalike.local.servers.ports import PortTaken, reserved_ports
from lookalike.local.service.manager import ServiceManager
from lookalike.local.serving import AskStatus, MakeSpecs, Serving
from lookalike.local.supervision.machine_limits import need_space
from lookalike.local.supervision.preflight import need_given_servers, need_host, only_up_on, wait_for_leftovers
from lookalike.local.supervision.processes import prepare_command, process_specs
from lookalike.local.supervision.stop_signals import stop_on_signals
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.discovery import retract
from lookalike.system.generation_file import with_served
from lookalike.system.runtime_dir import ports_folder

# Each takes as long as a start. What takes our ports that often is no coincidence.
PORT_TRIES = 3


def status_of(settings: Settings) -> Callable[[], Status]:
    """Reads what `lookalike status` shows."""
    transport = CeleryTransport(client_app(settings), settings.keys)
    return LiveStatus(settings, transport)


def up(
    settings: Settings,
    library: Path | BucketAddress,
    *,
    more: Sequence[Path] = (),
    only_these: bool = False,
    rebuild: bool = False,
    open_page: Callable[[str], object] | None = None,
    console: Console | None = None,
    ask_status: AskStatus = status_of,
    make_specs: MakeSpecs = process_specs,
    prepare: Sequence[str] | None = None,
) -> None:
    """Runs everything until Ctrl-C, SIGTERM, SIGHUP or `lookalike down`; returns when nothing is left.

    `more` are further folders of one library; what is not named of one that has several is taken out of it with
    `only_these` alone. `open_page` is called with the gallery's address once that answers. `ask_status` feeds the live
    line; `make_specs` and `prepare` choose the programs. Call it in the main thread: it handles those signals, and the
    kernel ends the processes when the thread that started them ends.
    Raises Misconfigured, CollectionMismatch, Unreachable.
    """
    manager = ServiceManager(os.environ)
    need_host(library)
    if isinstance(library, BucketAddress) and more:
        raise Misconfigured("A bucket is a library by itself: name it alone.")
    first = absolute(library)
    others = [path for path in dict.fromkeys(map(_resolved, more)) if path != first]
    there = _usable(first, others, folder_of(first, settings, others))
    # Before anything is made: a pattern that cannot work is one sentence here, and would be the producer's end later.
    suggested = suggested_search(settings.model_copy(update={"library": there}))
    with stop_on_signals() as stop, ExitStack() as held:
        folder = _hold_folder(first, others, settings, held)
        if not wait_for_leftovers(folder, manager.feeding(stop.wait)):
            return
        retract(folder)
        bring_forward(folder)
        need_given_servers(settings)
        settings = settings if rebuild else with_served(settings, folder.root, absolute_model)
        owned, news = owned_by(folder), list[str]()
        root, given, is_new = first, settings.library_id, rebuild
        if isinstance(first, Path):
            joined = join(folder, [first, *others], only_these=only_these, rebuild=rebuild, library_id=given)
            root, news = joined.root, [*joined.news]
        if root != first and owned.root not in (None, str(root)) and not rebuild:
            # Of one folder it becomes one of several, and stays the same library.
            given, is_new = given or owned.id, True
        former_root = adopt_renamed(root, folder, settings.library_id)
        identity = identity_of(root, folder, rebuild=is_new, given=given)
        former_ids = owned_by(folder).ids.keys() - {identity}
        screen = held.enter_context(LiveConsole(console or Console()))
        if former_root is not None:
            news.append(f"Known    as {former_root}: its index is kept")
        for line in news:
            screen.say(line)
        serving = Serving(
            settings,
            folder,
            root,
            identity,
            screen=screen,
            stop=stop,
            manager=manager,
            suggested=suggested,
            ask_status=ask_status,
            make_specs=make_specs,
            prepare=prepare_command(rebuild=rebuild, former_ids=former_ids) if prepare is None else prepare,
            prepare_again=prepare_command(rebuild=False, former_ids=former_ids) if prepare is None else prepare,
            rebuild=rebuild,
            open_page=open_page,
        )
        _serve_on_free_ports(serving, screen)


def _resolved(folder: Path) -> Path:
    return folder.expanduser().resolve()


def _usable(first: Path | BucketAddress, others: Sequence[Path], folder: DataFolder) -> Path | BucketAddress:
    """One of the folders that can be read, or the bucket. Raises Misconfigured."""
    return check_folders([first, *others], folder)[0] if isinstance(first, Path) else usable_library(first, folder)


def _hold_folder(root: Path | BucketAddress, more: Sequence[Path], settings: Settings, until: ExitStack) -> DataFolder:
    """The data folder of a library, made if need be and locked. Raises Misconfigured if an `up` serves it already."""
    folder = _made(root, more, settings)
    try:
        until.enter_context(only_up_on(folder))
    except Misconfigured:
        # Two libraries that start for the first time at once both see the user's data folder free.
        ours = _made(root, more, settings)
        if ours == folder:
            raise
        until.enter_context(only_up_on(ours))
        return ours
    return folder


def _made(root: Path | BucketAddress, more: Sequence[Path], settings: Settings) -> DataFolder:
    folder = folder_of(root, settings, more)
    _usable(root, more, folder)
    make_data_folder(folder)
    need_space(folder)
    return folder


def _serve_on_free_ports(serving: Serving, screen: LiveConsole) -> None:
    """Starts everything again on other ports when a program took one of ours. Raises PortTaken in the end."""
    for more_tries in reversed(range(PORT_TRIES)):
        with reserved_ports(ports_folder()) as choose_port:
            try:
                serving.run(choose_port)
            except PortTaken as taken:
                if not more_tries:
                    raise
                screen.say(f"Another program took the port of {taken.part}: all parts are started again on other ports")
            else:
                return
