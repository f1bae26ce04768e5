"""What supervisord is told: which parts there are, how each is run, and in which order they stop."""

import re
import signal
from collections.abc import Iterable

from lookalike.data_folder import DataFolder
from lookalike.errors import Misconfigured
from lookalike.local.process_limits import FILES, PROCESSES, at_most, files_limit, processes_limit
from lookalike.local.processes import ProcessSpec
from lookalike.process_guard import NONE, guarded_command
from lookalike.runtime_dir import socket_of

# Idle workers need 2 to 4 s to stop on busy cores (2026-11-21). Both stay below the time that the keeper gives all.
WORK_STOP_S = 5
GROUND_STOP_S = 2

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
[group:ground]
programs={ground}
priority=10

[group:work]
programs={work}
priority=20
"""
# startretries: a part is never given up; supervisord waits one second longer after each failed start.
PROGRAM = """
[program:{name}]
command={command}
environment={environment}
autostart=false
autorestart=true
startsecs=1
startretries=1000000000
stopasgroup={tell_children}
killasgroup=true
stopwaitsecs={stop_s}
redirect_stderr=true
stdout_logfile=logs/{name}.log
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=3
"""


def supervisor_conf(folder: DataFolder, parts: Iterable[ProcessSpec]) -> str:
    """The configuration of supervisord, without secrets.

    Raises Misconfigured if its socket has to lie in a temporary folder whose name supervisord takes for something else.
    """
    parts = list(parts)
    # Relative wherever it can be: supervisord runs in the data folder, whose name may hold what it would expand.
    path = socket_of(folder)
    inside = str(path.relative_to(folder.root) if path.is_relative_to(folder.root) else path).replace("%", "%%")
    if not re.fullmatch(r"[^\s;#\udc80-\udcff]+", inside):
        raise Misconfigured(
            f"The name of {path.parent} cannot be told to supervisord: set TMPDIR to a folder whose name has neither "
            "blanks nor # nor ;, or name a data folder with a shorter path."
        )
    stages = {stage: ",".join(part.name for part in parts if part.stage == stage) for stage in ("ground", "work")}
    limits = {"files": at_most(FILES, files_limit()), "processes": at_most(PROCESSES, processes_limit())}
    return CONF.format(socket=inside, **limits, **stages) + "".join(map(_program, parts))


def _program(part: ProcessSpec) -> str:
    guarded = guarded_command(
        signal.SIGKILL, part.command, lock="parts.lock", standard_input=part.standard_input or NONE
    )
    return PROGRAM.format(
        name=part.name,
        command=" ".join(_escaped(word) for word in guarded),
        environment=",".join(f'{name}="{value}"' for name, value in part.environment.items()),
        tell_children=str(part.tell_children).lower(),
        stop_s=WORK_STOP_S if part.stage == "work" else GROUND_STOP_S,
    )


def _escaped(word: str) -> str:
    """A word of a command: supervisord splits like a shell, expands % and takes " ;" and " #" for comments."""
    return re.sub(r"([^\w@+=:,./-])", r"\\\1", word).replace("%", "%%")
