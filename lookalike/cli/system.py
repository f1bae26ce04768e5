"""Commands that start, stop and look after the system on this machine: up, down, logs."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lookalike import local
from lookalike.cli.app import Data, app
from lookalike.cli.verbosity import is_quiet
from lookalike.local.logs import ALSO
from lookalike.local.processes import PARTS
from lookalike.settings import read_settings
from lookalike.terminal import escaped


@app.command()
def up(
    folder: Annotated[Path, typer.Argument(help="Folder with the images.")],
    data: Data = None,
    model: Annotated[
        str | None, typer.Option(help="Path of an ONNX model, or the name of one that ships. [LOOKALIKE_MODEL]")
    ] = None,
    distance: Annotated[str | None, typer.Option(help="cosine, dot, euclid or manhattan. [LOOKALIKE_DISTANCE]")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Drop the index that is there.")] = False,
) -> None:
    """Start everything on this machine and index FOLDER; Ctrl-C stops it."""
    settings = read_settings(data=data, model=model, distance=distance)
    local.up(settings, folder, rebuild=rebuild, console=Console(quiet=is_quiet()))


@app.command()
def down(data: Data = None) -> None:
    """Stop the running system."""
    local.down(read_settings(data=data))


@app.command()
def logs(
    part: Annotated[
        str | None,
        typer.Argument(help="One part; all of them if none is named.", autocompletion=lambda: [*PARTS, *ALSO]),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on showing what is said.")] = False,
    data: Data = None,
) -> None:
    """Show what the parts said."""
    # Its lines have names of files in them.
    local.logs(read_settings(data=data), part, follow=follow, say=_say_line)


def _say_line(line: str) -> None:
    sys.stdout.write(escaped(line) + "\n")
