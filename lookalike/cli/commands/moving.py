"""Commands that carry vectors: export, import, migrate."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.progress import TimeRemainingColumn

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import progress_bar, say, show_json
from lookalike.cli.service_program import Tell, report_of
from lookalike.errors import Misconfigured
from lookalike.library.joined.folders import folders_of
from lookalike.local.store_alone import reachable_store, started_alone
from lookalike.local.supervision.processes import process_environment
from lookalike.settings import Settings, read_settings
from lookalike.system.data_folder import DataFolder, data_folder
from lookalike.system.file_locks import lock_holder
from lookalike.system.service_paths import python_module
from lookalike.system.store_access import store_access

EMBEDDED = "embedded"
FILE = "its name says the form: .parquet (needs 'lookalike[export]'), .npz or .jsonl"


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help=f"File to be written; {FILE}.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Write all vectors with their paths and payloads into a file."""
    with reachable_store(read_settings(data=data)) as settings:
        report = moved(settings, "exporting", "export", str(file.absolute()))
    if json:
        show_json({"file": str(file), **report})
    else:
        rejected = f" ({report['rejected']} of them rejected, without vectors)" if report["rejected"] else ""
        say(f"{report['points']} files of the index{rejected} are in {file}, {report['bytes'] / 2**20:.1f} MiB.")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help=f"File that `lookalike export` wrote; {FILE}.")],
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Paths and vectors of another program, as the model NAME."),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Take the vectors of a file into the index, without inference; what changed since is found by the next scan."""
    with reachable_store(read_settings(data=data)) as settings:
        foreign = [] if name is None else [f"--as={name}"]
        report = moved(settings, "importing", "import", str(file.absolute()), *foreign)
    if json:
        show_json(report)
        return
    left = [f"{report[kind]} {kind}" for kind in ("missing", "unreadable") if report.get(kind)]
    say(
        f"{report['written']} files were taken into the index, {report['there']} it had already"
        f"{', left out: ' + ', '.join(left) if left else ''}; nothing was embedded."
    )
    if settings.redis_url is None:
        model = "" if name is None else f" --model {name}"
        library = settings.library
        folders = folders_of(library).values() if isinstance(library, Path) else [library]
        say(f"Go on with `lookalike up{model} {' '.join(map(str, folders))}`: its first scan finds what changed since.")


@app.command()
def migrate(
    to: Annotated[str, typer.Option(metavar="QDRANT_URL", help="Where to; `embedded` is the data folder's own store.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy the index to another store and compare the two; cut off, it goes on where it was."""
    with reachable_store(read_settings(data=data)) as settings, _target(settings, to) as (url, key):
        with_key = settings.model_copy(update={"target_api_key": key})
        report = moved(with_key, "migrating", "migrate", url)
    if json:
        show_json({"to": to, **report})
        return
    say(
        f"{report['points']} files of the index are at {to}: {report['written']} points copied, all payloads and "
        f"{report['vectors_compared']} vectors compared, {report['searches_compared']} searches find the same."
    )
    say(_next_step(to))
    if report["left"]:
        say("A reindex is under way: what it has filled in stays behind, and it begins again when `up` goes on.")


@contextmanager
def _target(settings: Settings, to: str) -> Iterator[tuple[str, SecretStr | None]]:
    """URL and key of the store that is migrated to. Raises Misconfigured."""
    if to != EMBEDDED:
        yield store_access(to, os.environ, settings.qdrant_ca).url, settings.target_api_key
        return
    folder = data_folder(settings)
    if lock_holder(folder.lock) != os.getpid():
        raise Misconfigured(
            f"The store in {folder.root} cannot be written while a system runs there, nor without a library: stop it "
            "with `lookalike down` and name where the index is in QDRANT_URL, or name the library with --library."
        )
    with started_alone(settings, folder) as ours:
        yield ours.qdrant_url or "", ours.qdrant_api_key


def _next_step(to: str) -> str:
    if to == EMBEDDED:
        return "From now on leave QDRANT_URL and QDRANT_API_KEY unset; `lookalike up FOLDER` goes on with it."
    return (
        f"From now on set QDRANT_URL={to}, and QDRANT_API_KEY to its key if it has one; `lookalike down` and "
        "`lookalike up FOLDER` go on with it. The former store keeps its copy."
    )


def moved(settings: Settings, doing: str, what: str, *arguments: str) -> dict[str, Any]:
    """The report of `python -m worker.moving WHAT ...`, with a progress bar meanwhile. Raises Misconfigured."""
    command = python_module("worker.moving", what, *arguments)
    return with_progress(doing, lambda tell: report_of(command, process_environment(settings, os.environ), tell))


def with_progress(doing: str, work: Callable[[Tell], dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns, with a progress bar that has an ETA."""
    progress = progress_bar(TimeRemainingColumn())
    with progress:
        bar = progress.add_task(doing, total=None)
        return work(lambda done, of: progress.update(bar, completed=done, total=of))


def folder_of(settings: Settings) -> DataFolder | None:
    """The data folder that is known; none of a system elsewhere."""
    return None if settings.data is None else DataFolder(settings.data)
