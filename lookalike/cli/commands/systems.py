"""`lookalike systems`: which libraries there are on this machine."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lookalike.cli.app import Json, app
from lookalike.cli.output import say, show_json
from lookalike.local.systems import systems as known_systems
from lookalike.settings import read_settings
from lookalike.terminal import escaped_name


@app.command()
def systems(json: Json = False) -> None:
    """List the libraries of this machine, and which of them run."""
    found = known_systems(read_settings())
    if json:
        show_json([system.model_dump() for system in found])
    elif not found:
        say("There is none yet: `lookalike up FOLDER` makes one.")
    else:
        table = Table(box=None, header_style="dim")
        for heading in ("", "library", "data"):
            table.add_column(heading, overflow="fold")
        for system in found:
            state = Text("running", style="green") if system.is_running else Text("stopped", style="dim")
            table.add_row(
                state, Text(escaped_name(system.library or "-")), Text(escaped_name(system.data), style="dim")
            )
        Console(highlight=False).print(table)
