"""The order in which everything starts: the backing services, the check that needs them, then the application."""

import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lookalike.errors import LookalikeError, Misconfigured, Unreachable
from lookalike.local.servers.addresses import Addresses
from lookalike.local.servers.config_check import confirm_broker, confirm_gallery, confirm_store
from lookalike.local.servers.embedded import is_damaged, set_aside
from lookalike.local.servers.ports import PortTaken, taken_port
from lookalike.local.servers.reachable import ask_broker, ask_gallery, ask_own_store
from lookalike.local.supervision.processes import PREPARE, ProcessSpec
from lookalike.local.supervision.supervisor import ProcessState, Supervisor
from lookalike.settings import variable_of
from lookalike.settings.secret_checks import is_loopback
from lookalike.system.data_folder import PRIVATE_FILE, DataFolder
from lookalike.system.file_locks import hold_lock

# A server reads a large index or log again before it answers.
BACKING_S = 120.0
# A server that was started this often and does not answer will not.
STARTS = 4
POLL_S = 0.05
NEVER = ProcessState(started_at=0, has_ended=False)

Wait = Callable[[float], bool]
"""Sleeps for some seconds; True if a stop is requested."""


@dataclass(frozen=True)
class Plan:
    """What is started where: the processes, the check before the application among them, and their environment.

    With `rebuild` a store that cannot read its files starts with an empty folder.
    """

    folder: DataFolder
    addresses: Addresses
    specs: Sequence[ProcessSpec]
    environment: Mapping[str, str]
    rebuild: bool = False

    def own_servers(self) -> dict[str, "OwnServer"]:
        """Broker and store, if they are started here."""
        ours, addresses = {}, self.addresses
        if addresses.ports.broker is not None:
            ours["broker"] = OwnServer(
                ask=lambda: ask_broker(addresses.redis_url),
                confirm=lambda: confirm_broker(addresses.redis_url, self.folder),
            )
        if addresses.ports.store is not None:
            key = self.environment["QDRANT_API_KEY"]
            ours["store"] = OwnServer(
                ask=lambda: ask_own_store(addresses.qdrant_url, key),
                confirm=lambda: confirm_store(addresses.qdrant_url, key),
            )
        return ours

    def watched_servers(self) -> dict[str, "OwnServer"]:
        """Those, and the gallery, which starts last and which nothing waits for."""
        if not any(spec.name == "web" for spec in self.specs):
            return self.own_servers()
        url, host = self.addresses.web_url, self.environment[variable_of("web_host")]
        # One that other machines may reach asks for a secret.
        confirm = partial(confirm_gallery, url) if is_loopback(host) else lambda: None
        return {**self.own_servers(), "web": OwnServer(ask=lambda: ask_gallery(url), confirm=confirm)}


@dataclass(frozen=True)
class OwnServer:
    """A server that is started here: whether it answers, and whether it runs with its configuration."""

    ask: Callable[[], None]
    confirm: Callable[[], None]


class RestartCheck:
    """Confirms every later start of our servers too: supervisord starts them again whenever they end.

    Those in `confirmed` were confirmed as they run now.
    """

    def __init__(
        self, servers: Mapping[str, OwnServer], states: Mapping[str, ProcessState], confirmed: Container[str]
    ) -> None:
        self._servers = servers
        self._confirmed = {part: states[part].started_at for part in servers if part in states and part in confirmed}

    def is_confirmed(self, part: str) -> bool:
        """Whether this server answered and was confirmed."""
        return part in self._confirmed

    def check(self, states: Mapping[str, ProcessState]) -> None:
        """Confirms each server that was started since the last check. Raises Misconfigured if it runs otherwise."""
        for part, server in self._servers.items():
            known = states.get(part, NEVER)
            if known.has_ended or known.started_at in (0, self._confirmed.get(part)):
                continue
            try:
                server.ask()
            except LookalikeError:
                # Not ready, or another program took its port: supervisord goes on trying.
                continue
            with suppress(Unreachable):
                server.confirm()
                self._confirmed[part] = known.started_at


def start_all(supervisor: Supervisor, plan: Plan, wait: Wait, report: Callable[[str], None]) -> bool:
    """Whether all was started; False if a stop was requested. Reports what it waits for.

    Raises PortTaken, Misconfigured, Unreachable.
    """
    report("starting broker and store")
    supervisor.start(plan.specs)
    supervisor.start_stage("backing")
    if not _await_backing(supervisor, plan, wait, report):
        return False
    report("checking model and index")
    plan.folder.preparing.touch(PRIVATE_FILE)
    with hold_lock(plan.folder.preparing):
        supervisor.start_stage("app", "early")
        if not _run_prepare(supervisor, plan, wait):
            return False
    supervisor.start_stage("app")
    return True


def refuse_taken_port(supervisor: Supervisor, addresses: Addresses) -> None:
    """Raises PortTaken if a part has ended while another program listens where it should."""

    def ended() -> dict[str, int]:
        return {part: state.started_at for part, state in supervisor.process_states().items() if state.has_ended}

    part = taken_port(addresses.endpoints, ended)
    if part is not None:
        raise PortTaken(part)


def last_line(log: Path) -> str:
    """The last line of a log, which is where a program writes why it failed."""
    lines = log.read_text("utf-8", "replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _await_backing(supervisor: Supervisor, plan: Plan, wait: Wait, report: Callable[[str], None]) -> bool:
    starts: dict[str, set[int]] = {part: set() for part in plan.own_servers()}
    # The last start of each part with its damaged files.
    emptied: dict[str, int] = {}
    until = time.monotonic() + BACKING_S
    for part, server in plan.own_servers().items():
        while not _is_ready(part, server.ask):
            state = supervisor.process_states().get(part, NEVER)
            starts[part].add(state.started_at)
            # The log is complete only once the process has ended.
            if state.has_ended:
                refuse_taken_port(supervisor, plan.addresses)
            has_ended, is_late = state.has_ended and state.started_at != emptied.get(part), time.monotonic() > until
            last = last_line(plan.folder.logs / f"{part}.log") if has_ended or is_late else ""
            if is_late or (has_ended and _is_hopeless(part, len(starts[part]), last)):
                if part in emptied or not _may_empty(part, last, plan):
                    raise Misconfigured(f"The {part} does not start: {last} (see `lookalike logs {part}`).")
                set_aside(plan.folder, part)
                report(f"the files of the {part} were damaged and are set aside; a scan finds what they knew")
                emptied[part] = state.started_at
                starts[part].clear()
            if wait(POLL_S):
                return False
        server.confirm()
    return True


def _is_hopeless(part: str, starts: int, last: str) -> bool:
    """Whether another start would fail like those before.

    For the store one message is enough. Valkey writes the same after it was killed while it read its file.
    """
    return starts >= STARTS or (part == "store" and is_damaged(part, last))


def _may_empty(part: str, last: str, plan: Plan) -> bool:
    """Whether its files may be set aside. Raises Misconfigured for those of a store without `rebuild`."""
    if not is_damaged(part, last):
        return False
    # Library and index hold all that the broker has; to embed a library again may take hours.
    if part == "store" and not plan.rebuild:
        raise Misconfigured(
            f"The store's files are damaged: {last} Or add --rebuild: it sets {plan.folder.store} aside and embeds "
            "every image again."
        )
    return True


def _is_ready(part: str, ask: Callable[[], None]) -> bool:
    try:
        ask()
    except Misconfigured as error:
        # The port was free when it was chosen; our server failed to bind it.
        raise PortTaken(part, str(error)) from error
    except LookalikeError:
        return False
    return True


def _run_prepare(supervisor: Supervisor, plan: Plan, wait: Wait) -> bool:
    log = plan.folder.logs / f"{PREPARE}.log"
    # What it says this time.
    log.unlink(missing_ok=True)
    supervisor.start_aside(PREPARE)
    while (code := supervisor.exit_code(PREPARE)) is None:
        if wait(POLL_S):
            return False
    if code:
        raise Misconfigured(last_line(log))
    return True
