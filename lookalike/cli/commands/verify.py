"""The command that compares library and index: verify."""

from typing import Annotated

import typer
from rich.progress import TimeRemainingColumn

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import progress_bar, show_comparison, show_json
from lookalike.client import Client
from lookalike.library.kinds import Library
from lookalike.library.opening import asked_library
from lookalike.verify import Comparison, Verification
from lookalike.verify_client import ClientIndex


@app.command()
def verify(
    deep: Annotated[
        int, typer.Option("--deep", min=0, metavar="N", help="Embed so many files again and compare the vectors.")
    ] = 0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Compare the library with the index; exit code 1 if they differ and nothing is left to do."""
    with Client(data=data) as client, asked_library(client.settings) as library:
        found = _compare(client, library, deep)
    if json:
        embedded = {"checked": found.checked, "wrong": found.wrong.count} if deep else {}
        show_json({**found.numbers(), **embedded})
    else:
        show_comparison(found, is_deep=deep > 0)
    if found.is_broken:
        raise typer.Exit(1)


def _compare(client: Client, disk: Library, deep: int) -> Comparison:
    """Compares, with a progress bar."""
    progress = progress_bar(TimeRemainingColumn())
    with progress:
        status = client.status()
        indexed = (status.indexed or 0) + (status.rejected or 0)
        bar = progress.add_task("comparing", total=indexed + status.discovered + min(deep, indexed))
        verification = Verification(
            disk,
            ClientIndex(client, ("embedding", "copy") if status.has_copies else ("embedding",)),
            deep=deep,
            max_query_bytes=client.settings.max_query_bytes,
            advance=lambda files: progress.advance(bar, files),
        )
        return verification.run()
