"""Commands about models: `model fetch`."""

import subprocess
from typing import Annotated

import typer

from lookalike.cli.app import Data, app
from lookalike.data_folder import data_folder
from lookalike.service_paths import python_module, service_environment
from lookalike.settings import read_settings

model = typer.Typer(help="Get other models than the one that ships.", no_args_is_help=True)
app.add_typer(model, name="model")


@model.callback()
def about() -> None:
    """Get other models than the one that ships."""


@model.command()
def fetch(name: Annotated[str, typer.Argument(help="Name of a published model: resnet50.")], data: Data = None) -> None:
    """Download a published model and make it fit; LOOKALIKE_MODEL takes its name then."""
    into = data_folder(read_settings(data=data)).models
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A service like the others: it needs what the client alone does not install.
    done = subprocess.run(
        python_module("models.fetch", name, "--into", str(into)), env=service_environment(), check=False
    )
    raise typer.Exit(done.returncode)
