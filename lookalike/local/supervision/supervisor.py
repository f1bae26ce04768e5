"""Runs one supervisord per data folder: it restarts processes that end and stops all of them in order."""

import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import NamedTuple
from xmlrpc.client import Fault

from lookalike.errors import Misconfigured
from lookalike.local.supervision.machine_limits import FILES, PROCESSES, at_most, files_limit, processes_limit
from lookalike.local.supervision.processes import PREPARE, STAGES, ProcessSpec, Restarts, Stage, Turn
from lookalike.local.supervision.supervisor_calls import HAS_ENDED, calls, is_listening, server_at
from lookalike.system.data_folder import DataFolder, open_private, write_private
from lookalike.system.process_guard import NONE, guarded_command
from lookalike.system.runtime_dir import socket_of
from lookalike.system.service_paths import python_module

# The time for an orderly stop of everything, supervisord included; afterwards it is killed.
STOP_S = 9.0
STARTED_S = 10.0
POLL_S = 0.05
# Idle workers need 2 to 4 s to stop on busy cores (2026-11-21). Together these two stay below STOP_S.
STOP_STAGE_S: Mapping[Stage, int] = {"backing": 2, "app": 5, "aside": 1}

NOT_STARTED = 127
RESTARTS: Mapping[Restarts, str] = {"always": "true", "after failures": "unexpected", "never": "false"}

CONF = """\
[supervisord]
nodaemon=true
silent=true
logfile=logs/supervisor.log
logfile_maxbytes=5MB
logfile_backups=3
pidfile=run/supervisor.pid
minfds={files}
minprocs={processes}

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

# The group with the highest number stops first.
[group:backing]
programs={backing}
priority=10

[group:app]
programs={app}
priority=20
"""
ASIDE = """
[group:aside]
programs={aside}
priority=30
"""
# startretries: supervisord never gives up; it waits one second longer after each failed start.
PROGRAM = """
[program:{name}]
command={command}
environment={environment}
autostart=false
autorestart={restarts}
startsecs={started_after_s}
startretries=1000000000
stopasgroup={signals_children}
killasgroup=true
stopwaitsecs={stop_s}
redirect_stderr=true
stdout_logfile=logs/{name}.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=3
"""


class ProcessState(NamedTuple):
    """A process: the Unix time of its last start (0 before the first), and whether that run has ended."""

    started_at: int
    has_ended: bool


class Supervisor:
    """A supervisord that is started here and ends with its starter."""

    def __init__(self, folder: DataFolder, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._socket = socket_of(folder)
        self._specs: Sequence[ProcessSpec] = ()
        self._environment = environment
        self._server = server_at(self._socket)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Starts supervisord, again if it ended; it starts no process yet. Raises Misconfigured if it fails."""
        self._specs = specs
        # The proxy keeps its connection, which may lead to the supervisord that ended.
        self._server("close")()
        log = self._folder.run / "supervisord.out"
        write_private(self._folder.run / "supervisord.conf", supervisor_conf(self._folder, self._specs))
        options = ("--nodaemon", "--configuration", "run/supervisord.conf")
        program = python_module("lookalike.local.supervision.forking", *options)
        with open_private(log) as output:
            # A session of its own: Ctrl-C in the terminal is for `up`, which stops the processes in their order.
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
        while not is_listening(self._folder):
            if self._process.poll() is not None or time.monotonic() > until:
                lines = log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"]
                raise Misconfigured(f"The supervisor does not start: {lines[-1]} (see {self._folder.logs}).")
            time.sleep(POLL_S)

    def start_stage(self, stage: Stage, turn: Turn = "next") -> None:
        """Starts the processes of a stage whose turn it is, and does not wait for them.

        Raises Misconfigured if supervisord has ended.
        """
        try:
            for spec in self._specs:
                if (spec.stage, spec.turn) == (stage, turn):
                    calls(self._server).startProcess(f"{stage}:{spec.name}", False)
        except (OSError, HTTPException) as error:
            raise Misconfigured(
                f"The supervisor ended while it started the parts ({error}): see `lookalike logs supervisor`."
            ) from error

    def start_aside(self, name: str) -> None:
        """Starts a program of this stage unless it runs, or there is none of this name."""
        with suppress(OSError, HTTPException, Fault):
            calls(self._server).startProcess(f"aside:{name}", False)

    def process_states(self) -> dict[str, ProcessState]:
        """The state of each lasting process, by its name; empty when supervisord does not answer."""
        with suppress(OSError, HTTPException, Fault):
            every = calls(self._server).getAllProcessInfo()
            return {
                known["name"]: ProcessState(known["start"], known["statename"] in HAS_ENDED)
                for known in every
                if known["name"] != PREPARE
            }
        return {}

    def exit_code(self, name: str) -> int | None:
        """That of a program aside that has ended, None while it runs. Raises Misconfigured without supervisord."""
        try:
            known = calls(self._server).getProcessInfo(f"aside:{name}")
        except (OSError, HTTPException) as error:
            raise Misconfigured(f"The supervisor ended ({error}): see `lookalike logs supervisor`.") from error
        if known["statename"] not in HAS_ENDED:
            return None
        # One that could not be started at all has the status 0.
        return int(known["exitstatus"]) if known["statename"] == "EXITED" else NOT_STARTED

    def is_alive(self) -> bool:
        """Whether supervisord still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stops the application, then its backing services, then supervisord; kills supervisord after STOP_S."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            # The kernel kills the processes when supervisord dies.
            self._process.kill()
            self._process.wait()
        self._server("close")()
        self._socket.unlink(missing_ok=True)


def supervisor_conf(folder: DataFolder, specs: Iterable[ProcessSpec]) -> str:
    """The configuration of supervisord, without secrets.

    Raises Misconfigured if the socket has to lie in a temporary folder whose name supervisord cannot parse.
    """
    specs = list(specs)
    # Relative wherever possible: supervisord runs in the data folder, whose name may contain what it expands.
    path = socket_of(folder)
    inside = str(path.relative_to(folder.root) if path.is_relative_to(folder.root) else path).replace("%", "%%")
    if not re.fullmatch(r"[^\s;#\udc80-\udcff]+", inside):
        raise Misconfigured(
            f"The name of {path.parent} cannot be told to supervisord: set TMPDIR to a folder whose name has neither "
            "blanks nor # nor ;, or name a data folder with a shorter path."
        )
    stages = {stage: ",".join(spec.name for spec in specs if spec.stage == stage) for stage in STAGES}
    limits = {"files": at_most(FILES, files_limit()), "processes": at_most(PROCESSES, processes_limit())}
    groups = CONF + (ASIDE if stages["aside"] else "")
    return groups.format(socket=inside, **limits, **stages) + "".join(map(_program, specs))


def _program(spec: ProcessSpec) -> str:
    guarded = guarded_command(
        signal.SIGKILL, spec.command, lock="parts.lock", standard_input=spec.standard_input or NONE
    )
    return PROGRAM.format(
        name=spec.name,
        command=" ".join(_escape_word(word) for word in guarded),
        environment=",".join(f'{name}="{value}"' for name, value in spec.environment.items()),
        signals_children=str(spec.signals_children).lower(),
        started_after_s=spec.started_after_s,
        restarts=RESTARTS[spec.restarts],
        stop_s=STOP_STAGE_S[spec.stage],
    )


def _escape_word(word: str) -> str:
    """A word of a command: supervisord splits like a shell, expands % and takes " ;" and " #" for comments."""
    return re.sub(r"([^\w@+=:,./-])", r"\\\1", word).replace("%", "%%")
