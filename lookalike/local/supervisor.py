"""The keeper: one supervisord per data folder, which keeps the parts alive and stops them in order."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast
from xmlrpc.client import Fault, ServerProxy

from lookalike.data_folder import DataFolder, open_private, write_private
from lookalike.errors import Misconfigured
from lookalike.local.processes import ProcessSpec
from lookalike.local.supervisor_conf import supervisor_conf
from lookalike.process_guard import guarded_command
from lookalike.runtime_dir import socket_of
from lookalike.service_paths import python_module

# This ends it all, whatever supervisord is waiting for.
STOP_S = 9.0
STARTED_S = 10.0
LOOK_AGAIN_S = 0.05
# States in supervisord's documentation.
HAS_ENDED = ("BACKOFF", "EXITED", "FATAL")


class ProcessState(NamedTuple):
    """A part: the Unix time of its last start, 0 before the first, and whether what was started then has ended."""

    started_at: int
    has_ended: bool


class Supervisor:
    """A supervisord that was started by us and ends with us."""

    def __init__(self, folder: DataFolder, parts: Iterable[ProcessSpec], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._socket = socket_of(folder)
        self._parts = list(parts)
        self._environment = environment
        self._server = _server_at(self._socket)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts supervisord, anew if it ended; it starts no part yet. Raises Misconfigured if it does not come up."""
        # It keeps its connection, which was one to the supervisord before.
        self._server("close")()
        said = self._folder.run / "supervisord.out"
        write_private(self._folder.run / "supervisord.conf", supervisor_conf(self._folder, self._parts))
        program = python_module("supervisor.supervisord", "--nodaemon", "--configuration", "run/supervisord.conf")
        with open_private(said) as output:
            # A session of its own: Ctrl-C in the terminal is for `up`, which stops the parts in their order.
            self._process = subprocess.Popen(
                guarded_command(signal.SIGTERM, program),
                cwd=self._folder.root,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )
        until = time.monotonic() + STARTED_S
        while not answers(self._folder):
            if self._process.poll() is not None or time.monotonic() > until:
                lines = said.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"]
                raise Misconfigured(f"The supervisor does not start: {lines[-1]} (see {self._folder.logs}).")
            time.sleep(LOOK_AGAIN_S)

    def start_parts(self, stage: str) -> None:
        """Starts the parts of a stage, without waiting for them. Raises Misconfigured if the supervisor has ended."""
        try:
            for part in self._parts:
                if part.stage == stage:
                    _calls(self._server).startProcess(f"{stage}:{part.name}", False)
        except (OSError, HTTPException) as error:
            raise Misconfigured(
                f"The supervisor ended while it started the parts ({error}): see `lookalike logs supervisor`."
            ) from error

    def seen(self) -> dict[str, ProcessState]:
        """Each part as supervisord sees it; empty when supervisord does not answer."""
        with suppress(OSError, HTTPException, Fault):
            every = _calls(self._server).getAllProcessInfo()
            return {known["name"]: ProcessState(known["start"], known["statename"] in HAS_ENDED) for known in every}
        return {}

    def is_alive(self) -> bool:
        """Whether supervisord still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stops work, then ground, then supervisord: asked first, killed after STOP_S."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            # The kernel kills the parts when supervisord dies.
            self._process.kill()
            self._process.wait()
        self._server("close")()
        self._socket.unlink(missing_ok=True)


def answers(folder: DataFolder) -> bool:
    """Whether a supervisord of this data folder listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(socket_of(folder)))
        except OSError:
            return False
    return True


class _Calls(Protocol):
    """What we call over supervisord's XML-RPC; its documentation has the meanings."""

    def startProcess(self, name: str, wait: bool) -> bool: ...  # noqa: FBT001, N802
    def getAllProcessInfo(self) -> list[dict[str, Any]]: ...  # noqa: N802


def _calls(server: ServerProxy) -> _Calls:
    return cast("_Calls", server.supervisor)


def _server_at(path: Path) -> ServerProxy:
    from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415 (the package is an extra)

    return ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{path}"))
