"""Asks a supervisord, by its socket in the data folder. Starts and stops none."""

import os
import socket
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol, cast
from xmlrpc.client import Fault, ServerProxy

from lookalike.system.data_folder import DataFolder
from lookalike.system.runtime_dir import socket_of

# States in supervisord's documentation.
HAS_ENDED = ("BACKOFF", "EXITED", "FATAL")
# For one that is asked by another command.
ANSWERS_S = 5.0


def is_listening(folder: DataFolder) -> bool:
    """Whether a supervisord of this data folder listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(socket_of(folder)))
        except OSError:
            return False
    return True


def programs_of(path: Path) -> dict[str, bool]:
    """Which lasting programs have not ended by themselves, by their names; empty if the supervisor does not answer."""
    server = server_at(path)
    before_s = socket.getdefaulttimeout()
    # The transport of supervisord makes its socket itself.
    socket.setdefaulttimeout(ANSWERS_S)
    try:
        with suppress(OSError, HTTPException, Fault):
            every = calls(server).getAllProcessInfo()
            return {known["name"]: known["statename"] not in HAS_ENDED for known in every if known["group"] != "aside"}
    finally:
        socket.setdefaulttimeout(before_s)
        server("close")()
    return {}


class _Calls(Protocol):
    """The calls of supervisord's XML-RPC interface that are used here; its documentation has the meanings."""

    def startProcess(self, name: str, wait: bool) -> bool: ...  # noqa: FBT001, N802
    def getProcessInfo(self, name: str) -> dict[str, Any]: ...  # noqa: N802
    def getAllProcessInfo(self) -> list[dict[str, Any]]: ...  # noqa: N802


def calls(server: ServerProxy) -> _Calls:
    """Its calls, with their types."""
    return cast("_Calls", server.supervisor)


def server_at(path: Path) -> ServerProxy:
    """The supervisord that listens on this socket; it connects when it is first called."""
    from supervisor.xmlrpc import SupervisorTransport  # noqa: PLC0415 (the package is an extra)

    return ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{path}"))
