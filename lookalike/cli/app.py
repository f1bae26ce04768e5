"""The typer app that the commands join, and the options that several of them share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lookalike import __version__
from lookalike.cli.options.verbosity import set_verbosity

app = typer.Typer(
    name="lookalike",
    help="Drop images into a folder and search them by example.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder for everything that `up` keeps. [LOOKALIKE_DATA]", metavar="DIR")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lookalike {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what was asked for, and errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell on stderr what is done, and where an error comes from.")
    ] = False,
    library: Annotated[
        str | None,
        typer.Option(help="The library that is meant, where several run. [LOOKALIKE_LIBRARY]", metavar="DIR"),
    ] = None,
) -> None:
    """Drop images into a folder and search them by example."""
    set_verbosity(quiet=quiet, verbose=verbose)
    if library is not None:
        # Every command reads its settings from there.
        os.environ["LOOKALIKE_LIBRARY"] = library
