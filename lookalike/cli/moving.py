"""Commands that carry vectors: export, import."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TimeRemainingColumn

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import progress_bar, say, show_json
from lookalike.cli.service_program import Tell, report_of
from lookalike.local.processes import process_environment
from lookalike.local.store_alone import reachable_store
from lookalike.settings import Settings, read_settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.service_paths import python_module
from lookalike.system.verdicts import add_verdicts, read_verdicts

FILE = "its name says the form: .parquet (needs 'lookalike[export]'), .npz or .jsonl"


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help=f"File to be written; {FILE}.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Write all vectors with their paths and payloads into a file."""
    with reachable_store(read_settings(data=data)) as settings:
        verdicts = read_verdicts(_folder_of(settings))
        report = moved(settings, "exporting", "export", str(file.absolute()), standard_input=verdicts)
    if json:
        show_json({"file": str(file), **report})
    else:
        rejected = f" ({report['rejected']} of them rejected, without vectors)" if report["rejected"] else ""
        say(f"{report['points']} files of the index{rejected} are in {file}, {report['bytes'] / 2**20:.1f} MiB.")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help=f"File that `lookalike export` wrote; {FILE}.")],
    library: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder with the images, if the data folder is new.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take the vectors of a file into the index, without inference; what changed since is found by the next scan."""
    with reachable_store(read_settings(data=data), library) as settings:
        report = moved(settings, "importing", "import", str(file.absolute()))
        report["verdicts"] = add_verdicts(_folder_of(settings), report["verdicts"])
    if json:
        show_json(report)
        return
    say(f"{report['written']} files were taken into the index, {report['there']} it had already; nothing was embedded.")
    if library is not None:
        say(f"Go on with `lookalike up {library}`: its first scan finds what changed since.")


def moved(settings: Settings, doing: str, what: str, *arguments: str, standard_input: bytes = b"") -> dict[str, Any]:
    """The report of `python -m worker.moving WHAT ...`, with a progress bar meanwhile. Raises Misconfigured."""
    command = python_module("worker.moving", what, *arguments)
    return with_progress(
        doing,
        lambda tell: report_of(command, process_environment(settings, os.environ), tell, standard_input=standard_input),
    )


def with_progress(doing: str, work: Callable[[Tell], dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns, with a progress bar that has an ETA."""
    progress = progress_bar(TimeRemainingColumn())
    with progress:
        bar = progress.add_task(doing, total=None)
        return work(lambda done, of: progress.update(bar, completed=done, total=of))


def _folder_of(settings: Settings) -> DataFolder | None:
    return None if settings.data is None else DataFolder(settings.data)
