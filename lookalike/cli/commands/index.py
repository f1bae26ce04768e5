"""Commands about the index: list, rejected, retry, sync."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import say, say_aside, show_files, show_json
from lookalike.client import Client
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.library.address import BucketAddress
from lookalike.library.joined.folders import inside
from lookalike.library.opening import asked_library, candidates_of
from lookalike.library.paths import escape_path, unescape_path
from lookalike.messages import SyncReply
from lookalike.settings import Settings


@app.command(name="list")
def list_(data: Data = None, json: Json = False) -> None:
    """List every file in the index."""
    with Client(data=data) as client:
        rows = sorted((file.path, file.status) for file in client.list())
    if json:
        show_json([{"path": path, "status": status} for path, status in rows])
    else:
        show_files([(status, path) for path, status in rows])


@app.command()
def rejected(data: Data = None, json: Json = False) -> None:
    """List the files that could not be indexed, each with its reason."""
    with Client(data=data) as client:
        rows = sorted((file.path, file.reason or "") for file in client.rejected())
    if json:
        show_json([{"path": path, "reason": reason} for path, reason in rows])
    else:
        show_files(rows)


@app.command()
def retry(
    paths: Annotated[list[Path] | None, typer.Argument(help="Rejected files; all of them if none are named.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Try rejected files again although they have not changed."""
    with Client(data=data) as client:
        sent = client.retry([str(path) for path in paths or []])
    if json:
        show_json({"sent": sent})
    else:
        say(f"{sent} sent; `lookalike status --wait` tells when they are done.")


@app.command()
def sync(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders of the library.")] = None,
    allow_removals: Annotated[
        bool, typer.Option("--allow-removals", help="Let the next scan remove what is gone, however much it is.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Index these files now, and wait until it is done."""
    if not paths and not allow_removals:
        raise typer.BadParameter("name files or folders, or give --allow-removals", param_hint="PATHS")
    total = SyncReply()
    with Client(data=data) as client:
        if allow_removals:
            client.allow_removals()
        step = client.settings.batch_paths
        wanted = [file for path in paths or [] for file in _expand_path(client, path)]
        if wanted and (paused := client.status().paused):
            say_aside(f"Ingest is {paused}; until then this waits.")
        jobs = [client.sync(wanted[start : start + step]) for start in range(0, len(wanted), step)]
        for job in jobs:
            reply = job.result()
            total = SyncReply(**{name: count + getattr(reply, name) for name, count in total.model_dump().items()})
    if json:
        show_json(total.model_dump())
    elif allow_removals and not wanted:
        say("The next scan removes what is gone; `lookalike status --wait` tells when it has.")
    else:
        say(", ".join(f"{count} {name}" for name, count in total.model_dump().items() if count) or "nothing to do")


@app.command()
def ignored(data: Data = None, json: Json = False) -> None:
    """List what of the library is left out, and by which rule."""
    with Client(data=data) as client:
        settings = client.settings
    with asked_library(settings) as library:
        rows = library.ignored()
        if json:
            show_json([{"path": escape_path(path), "rule": rule} for path, rule in rows])
        else:
            show_files((rule, escape_path(path)) for path, rule in rows)


def _expand_path(client: Client, path: Path) -> Iterator[Path]:
    """The path itself, or the candidates below it if it is a folder here or in the library."""
    if isinstance(client.settings.library, BucketAddress):
        yield from _expand_key(client.settings, path)
        return
    root = client.settings.library_folder
    places = (path, *([root / unescape_path(str(path))] if root else []))
    # Not Path.is_dir(), which raises for a name that is too long.
    folder = next((found for found in places if os.path.isdir(found)), None)  # noqa: PTH112
    if folder is None or root is None:
        yield path
        return
    rule = candidates_of(client.settings, root)
    for where, _, names in os.walk(folder.absolute()):
        for name in names:
            file = Path(where) / name
            name_there = inside(root, file)
            if name_there is not None and rule.is_candidate(name_there):
                yield file


def _expand_key(settings: Settings, path: Path) -> Iterator[Path]:
    """The path itself, or the candidates below it in a bucket."""
    is_all = str(path) == str(Path(str(settings.library)))
    key = "" if is_all else CallerPaths(settings.library).relative(path)
    with asked_library(settings) as library:
        below = [Path(escape_path(file.path)) for file in library.files(library.unescape(key))]
    yield from below or [path]
