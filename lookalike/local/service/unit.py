"""The systemd unit that keeps `lookalike up` running: its text, of values alone. Writes and starts nothing."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress

Manager = Literal["user", "system"]
Library = Path | BucketAddress

# `up` feeds the watchdog every half second at most; its longest call to a server that does not answer takes seconds.
WATCHDOG_S = 60
# The store may have to read a large index before it answers, and `up` itself gives up after two minutes.
START_S = 600
# `up` stops its parts within 9 s, or kills them.
STOP_S = 30
MOST_NAME_CHARS = 40

UNIT = """\
# Written by `lookalike service install`; `lookalike service uninstall` removes it.
# For {libraries}
[Unit]
Description=lookalike: image search for {described}
{mounts}StartLimitIntervalSec=10min
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# Settings, secrets included: one NAME=value a line. It may be missing.
EnvironmentFile=-%E/lookalike/{name}.env
Restart=on-failure
RestartSec=5
WatchdogSec={watchdog}
TimeoutStartSec={start}
TimeoutStopSec={stop}
# SIGTERM for `up` alone, which stops its parts in their order.
KillMode=mixed
UMask=0077
LimitNOFILE=8192:524288

# What it never needs. Nothing of devices, so that a graphics card can compute, and of memory that is written and then
# executed, which some of its libraries need.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
{hardening}
[Install]
WantedBy={wanted_by}
"""
OF_SYSTEM = """\
User={user}
StateDirectory=lookalike/{name}
StateDirectoryMode=0700
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
# Folders with images only for uploads of the gallery, which are refused without; in /tmp commands look for a system.
ReadWritePaths=/tmp {writable}
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
RemoveIPC=no
"""


@dataclass(frozen=True)
class Service:
    """What a unit says. `libraries` are absolute folders, or one bucket; `data` is absolute, None if systemd makes it.

    `user` is who a service of the system runs as, None for one of a user. `program` is the command without its
    arguments.
    """

    name: str
    libraries: tuple[Library, ...]
    data: Path | None
    program: tuple[str, ...]
    user: str | None = None

    @property
    def manager(self) -> Manager:
        """Which systemd runs it."""
        return "user" if self.user is None else "system"

    @property
    def file(self) -> str:
        """Name of the unit's file."""
        return f"{self.name}.service"

    def text(self) -> str:
        """The unit. Raises Misconfigured for a name that systemd cannot be told."""
        program, *rest = self.program
        # Of arguments systemd expands $, of the program it does not.
        words = [_quoted(program), *map(_command_word, (*rest, "up", *map(str, self.libraries), "--data"))]
        words.append(f"%S/lookalike/{self.name}" if self.data is None else _command_word(os.fspath(self.data)))
        folders = [each for each in self.libraries if isinstance(each, Path)]
        writable = [f'"-{_escaped(path)}"' for path in (*folders, self.data) if path is not None]
        hardening = (
            "" if self.user is None else OF_SYSTEM.format(user=self.user, name=self.name, writable=" ".join(writable))
        )
        return UNIT.format(
            libraries=_listed(self.libraries),
            described=_described(self.libraries[0]),
            mounts=f"RequiresMountsFor={_listed(folders)}\n" if folders else "",
            command=" ".join(words),
            name=self.name,
            watchdog=WATCHDOG_S,
            start=START_S,
            stop=STOP_S,
            hardening=hardening,
            wanted_by="default.target" if self.user is None else "multi-user.target",
        )


def name_for(library: Library) -> str:
    """`lookalike-photos` for /home/ann/photos, and for s3://bucket/photos."""
    readable = re.sub(r"[^a-z0-9]+", "-", library.name.lower()).strip("-")[:MOST_NAME_CHARS].strip("-")
    return f"lookalike-{readable or 'library'}"


def is_for(text: str, libraries: Sequence[Library]) -> bool:
    """Whether a unit was written here, for these folders or for more than these."""
    first, second, *_ = [*text.splitlines(), "", ""]
    return first == UNIT.partition("\n")[0] and all(_quoted(each) in second for each in libraries)


def _command_word(word: str) -> str:
    return f'"{_escaped(word).replace("$", "$$")}"'


def _quoted(path: Library | str) -> str:
    return f'"{_escaped(path)}"'


def _listed(libraries: Iterable[Library]) -> str:
    return " ".join(map(_quoted, libraries))


def _described(path: Library) -> str:
    # Free text to the end of its line.
    return os.fspath(path).replace("%", "%%").replace("\\", "\\\\")


def _escaped(word: Library | str) -> str:
    """Within double quotes: systemd.syntax(7) has the escapes, systemd.unit(5) the specifiers."""
    text = os.fspath(word)
    if not text.isprintable():
        raise Misconfigured(
            f"systemd cannot be told the name {text!r}: rename it, or name a link to it that has printable letters."
        )
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
