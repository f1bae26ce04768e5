"""Commands about the service that starts with the machine: service install, show, uninstall."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.app import Data, app
from lookalike.cli.output import say
from lookalike.errors import Misconfigured
from lookalike.local.service.install import Placed, install, service_of, uninstall
from lookalike.local.service.unit import Library, Manager, Service
from lookalike.settings import read_settings

service = typer.Typer(help="Have systemd run it, from the start of the machine.", no_args_is_help=True)
app.add_typer(service, name="service")

Folders = Annotated[
    list[str], typer.Argument(metavar="FOLDER...", help="Folders with the images, or s3://bucket/prefix.")
]
Name = Annotated[str | None, typer.Option(help="Name of the unit; lookalike- and the folder's name otherwise.")]
User = Annotated[bool, typer.Option("--user", help="A service of this user, which needs no root (the default).")]
System = Annotated[bool, typer.Option("--system", help="A service of the machine.")]
RunAs = Annotated[
    str | None, typer.Option("--run-as", metavar="USER", help="With --system: who it runs as; the folder's owner.")
]
Into = Annotated[
    Path | None, typer.Option("--into", metavar="DIR", help="Where the unit is, in place of systemd's own folder.")
]


@service.callback()
def about() -> None:
    """Have systemd run it, from the start of the machine."""


@service.command("install")
def install_(
    folders: Folders,
    user: User = False,
    system: System = False,
    run_as: RunAs = None,
    name: Name = None,
    into: Into = None,
    data: Data = None,
) -> None:
    """Write a unit that runs `up FOLDER`, with a watchdog, and tell what starts it."""
    _tell("Wrote", install(_service(folders, data, user, system, name, run_as), into))


@service.command()
def show(
    folders: Folders,
    user: User = False,
    system: System = False,
    run_as: RunAs = None,
    name: Name = None,
    data: Data = None,
) -> None:
    """Print the unit that `install` would write."""
    sys.stdout.write(_service(folders, data, user, system, name, run_as).text())


@service.command("uninstall")
def uninstall_(
    folders: Folders, user: User = False, system: System = False, name: Name = None, into: Into = None
) -> None:
    """Remove the unit; index and images stay."""
    _tell("Removed", uninstall(_libraries(folders), _manager(user, system), into, name))


def _service(
    folders: list[str], data: Path | None, user: bool, system: bool, name: str | None, run_as: str | None
) -> Service:
    return service_of(read_settings(data=data), _libraries(folders), _manager(user, system), name=name, run_as=run_as)


def _libraries(folders: list[str]) -> list[Library]:
    return [library for folder in folders if (library := read_settings(library=folder).library) is not None]


def _manager(user: bool, system: bool) -> Manager:
    if user and system:
        raise Misconfigured("--user and --system are two services: name one.")
    return "system" if system else "user"


def _tell(done: str, placed: Placed) -> None:
    say(f"{done} {placed.file}. Next:")
    for command in placed.next:
        say(f"  {command}")
