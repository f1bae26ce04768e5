"""Commands that keep an index safe: backup, restore."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.commands.moving import folder_of, moved
from lookalike.cli.output import say, show_json
from lookalike.local.backup import (
    INDEX,
    add_generation,
    begin_backup,
    check_backup,
    end_backup,
    need_empty,
    restore_files,
    restore_identity,
)
from lookalike.local.store_alone import folder_for, held_folder, reachable_store, started_alone
from lookalike.settings import read_settings


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the backup.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Write index and identity of the library into a folder, while everything runs."""
    target = folder.absolute()
    with reachable_store(read_settings(data=data)) as settings:
        part = begin_backup(target, folder_of(settings))
        report = moved(settings, "backing up", "export", str(part / INDEX))
        add_generation(part, folder_of(settings), report["collection"])
        about = end_backup(part, target)
    if json:
        show_json({"folder": str(target), **report, "made_at": about["made_at"]})
    else:
        say(f"{report['points']} files of the index are in {folder}; `lookalike restore {folder}` brings them back.")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `lookalike backup` made.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a data folder of a backup; what is newer in the library is found by the next scan."""
    source = folder.absolute()
    settings = read_settings(data=data)
    target = folder_for(settings)
    need_empty(target)
    about = check_backup(source)
    with ExitStack() as stack:
        stack.enter_context(held_folder(target))
        need_empty(target)
        restore_files(source, target)
        settings = settings.model_copy(update={"data": target.root})
        if settings.qdrant_url is None:
            settings = stack.enter_context(started_alone(settings, target))
        report = moved(settings, "restoring", "restore", str(source / INDEX))
        restore_identity(source, target)
    if json:
        show_json({"data": str(target.root), **report, "made_at": about["made_at"]})
    else:
        say(
            f"{report['written'] + report['there']} files of the index are in {target.root} as they were at "
            f"{about['made_at']}: `lookalike up FOLDER` goes on from there."
        )
