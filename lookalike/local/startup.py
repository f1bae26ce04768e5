"""The order in which everything starts: the ground, the check that needs it, then the work."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lookalike.data_folder import DataFolder, open_private
from lookalike.errors import LookalikeError, Misconfigured, Unreachable
from lookalike.local.addresses import Addresses
from lookalike.local.config_check import confirm_broker, confirm_store
from lookalike.local.embedded import is_damaged, set_aside
from lookalike.local.processes import ProcessSpec
from lookalike.local.reachable import ask_broker, ask_own_store
from lookalike.local.supervisor import ProcessState, Supervisor
from lookalike.process_guard import guarded_command

# A large index or log is read again before its server answers.
GROUND_S = 120.0
# A server that was started this often and does not answer will not.
STARTS = 4
LOOK_AGAIN_S = 0.05
NEVER = ProcessState(started_at=0, has_ended=False)

Wait = Callable[[float], bool]
"""Sleeps for some seconds; True if somebody asks to stop."""


@dataclass(frozen=True)
class Plan:
    """What is started where: the parts, the check before the work, and the environment of all of them.

    With `rebuild` a store that cannot read its files begins with none.
    """

    folder: DataFolder
    addresses: Addresses
    parts: Sequence[ProcessSpec]
    prepare: Sequence[str]
    environment: Mapping[str, str]
    rebuild: bool = False

    def own_servers(self) -> dict[str, "OwnServer"]:
        """Broker and store, as far as they are started here."""
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


@dataclass(frozen=True)
class OwnServer:
    """A server that is started here: whether it answers, and whether it runs as it was told."""

    ask: Callable[[], None]
    confirm: Callable[[], None]


class RestartCheck:
    """Has every later start of our servers confirmed too: a supervisor starts them again whenever they end."""

    def __init__(self, servers: Mapping[str, OwnServer], seen: Mapping[str, ProcessState]) -> None:
        self._servers = servers
        self._confirmed = {part: seen[part].started_at for part in servers if part in seen}

    def look(self, seen: Mapping[str, ProcessState]) -> None:
        """Asks whoever was started since the last look, once it answers. Raises Misconfigured if it runs otherwise."""
        for part, server in self._servers.items():
            known = seen.get(part, NEVER)
            if known.has_ended or known.started_at in (0, self._confirmed.get(part)):
                continue
            try:
                server.ask()
            except LookalikeError:
                # Not there yet, or a stranger on its port: the supervisor goes on trying.
                continue
            with suppress(Unreachable):
                server.confirm()
                self._confirmed[part] = known.started_at


def start_all(supervisor: Supervisor, plan: Plan, wait: Wait, tell: Callable[[str], None]) -> bool:
    """Whether all was started; False if somebody asked to stop. Tells what it waits for.

    Raises Misconfigured, Unreachable.
    """
    tell("starting broker and store")
    supervisor.start()
    supervisor.start_parts("ground")
    if not _ground_answers(supervisor, plan, wait, tell):
        return False
    tell("checking model and index")
    if not _prepared(plan, wait):
        return False
    supervisor.start_parts("work")
    return True


def last_line(log: Path) -> str:
    """What a program said last, which is where it says why it failed."""
    lines = log.read_text("utf-8", "replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _ground_answers(supervisor: Supervisor, plan: Plan, wait: Wait, tell: Callable[[str], None]) -> bool:
    starts: dict[str, set[int]] = {part: set() for part in plan.own_servers()}
    # Which start of a part was the last with its old files.
    anew: dict[str, int] = {}
    until = time.monotonic() + GROUND_S
    for part, server in plan.own_servers().items():
        while not _does(part, server.ask):
            seen = supervisor.seen().get(part, NEVER)
            starts[part].add(seen.started_at)
            # Before it has ended, its last words are not its last.
            has_ended, is_late = seen.has_ended and seen.started_at != anew.get(part), time.monotonic() > until
            said = last_line(plan.folder.logs / f"{part}.log") if has_ended or is_late else ""
            if is_late or (has_ended and _is_hopeless(part, len(starts[part]), said)):
                if part in anew or not _may_begin_anew(part, said, plan):
                    raise Misconfigured(f"The {part} does not start: {said} (see `lookalike logs {part}`).")
                set_aside(plan.folder, part)
                tell(f"the files of the {part} were damaged and are set aside; a scan finds what they knew")
                anew[part] = seen.started_at
                starts[part].clear()
            if wait(LOOK_AGAIN_S):
                return False
        server.confirm()
    return True


def _is_hopeless(part: str, starts: int, said: str) -> bool:
    """Whether one start more would end like those before.

    The store says so at once. Valkey's words are also those of one that was killed while it read its file.
    """
    return starts >= STARTS or (part == "store" and is_damaged(part, said))


def _may_begin_anew(part: str, said: str, plan: Plan) -> bool:
    """Whether its files may be set aside. Raises Misconfigured for a store's, if nobody has said so."""
    if not is_damaged(part, said):
        return False
    # The broker holds nothing that library and index do not tell; to embed a library again may take hours.
    if part == "store" and not plan.rebuild:
        raise Misconfigured(
            f"The store's files are damaged: {said} Or add --rebuild: it sets {plan.folder.store} aside and embeds "
            "every image again."
        )
    return True


def _does(part: str, ask: Callable[[], None]) -> bool:
    try:
        ask()
    except Misconfigured as error:
        # The port was free when it was chosen; ours has failed to take it.
        raise Misconfigured(
            f"Somebody else's server took the port of the {part} in this moment ({error}) Start again: "
            "another port will be chosen."
        ) from error
    except LookalikeError:
        return False
    return True


def _prepared(plan: Plan, wait: Wait) -> bool:
    log = plan.folder.logs / "prepare.log"
    with open_private(log) as said:
        preparing = subprocess.Popen(
            guarded_command(signal.SIGKILL, list(plan.prepare), lock=str(plan.folder.parts_lock)),
            cwd=plan.folder.root,
            env=dict(plan.environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    while preparing.poll() is None:
        if wait(LOOK_AGAIN_S):
            preparing.kill()
            preparing.wait()
            return False
    if preparing.returncode:
        raise Misconfigured(last_line(log))
    return True
