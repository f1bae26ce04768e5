"""Commands that find images: search, sample."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.commands.batch import search_lines
from lookalike.cli.options import query as asked
from lookalike.cli.output import neighbours_json, say, say_aside, show_json, show_neighbours, show_paths
from lookalike.cli.sheets import SheetFile, open_file
from lookalike.client import Client

FROM_STDIN = "-"
Paths = Annotated[bool, typer.Option("--paths", "-f", help="Print paths alone, one a line.")]
Paths0 = Annotated[bool, typer.Option("--paths0", help="Print paths alone, each ended by NUL, for xargs -0.")]
Sheet = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the pictures with names and scores: .png, .jpg, .webp, .pdf.")
]
Open = Annotated[bool, typer.Option("--open", help="Show that sheet in the program for pictures.")]


@app.command()
def search(
    image: Annotated[
        str, typer.Argument(help="An image file here, or a path of the library; `-` reads many, one a line.")
    ],
    limit: Annotated[int, typer.Option("-k", "--limit", min=1, help="How many neighbours.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many of the first.")] = 0,
    add: asked.Add = None,
    subtract: asked.Subtract = None,
    box: asked.Box = None,
    piece: asked.Piece = False,
    folder: asked.Folder = None,
    since: asked.Since = None,
    until: asked.Until = None,
    where: asked.Where = None,
    min_similarity: asked.MinSimilarity = None,
    exclude_self: Annotated[bool, typer.Option("--exclude-self", help="Leave out the images themselves.")] = False,
    group_exact: Annotated[bool, typer.Option("--group-exact", help="Show copies of a file once.")] = False,
    paths: Paths = False,
    paths0: Paths0 = False,
    sheet: Sheet = None,
    open_: Open = False,
    timeout_s: Annotated[float | None, typer.Option("--timeout", min=0.1, help="Seconds to wait.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the images that look most like this one."""
    begun = time.perf_counter()
    fields: dict[str, Any] = {
        "offset": offset,
        "filter": asked.filter_of(folder, since, until, where),
        "min_similarity": min_similarity,
        "exclude_self": exclude_self,
        "group_exact": group_exact,
        "by": "copy" if piece else "embedding",
    }
    examples = asked.examples_of(image, box, add, subtract)
    page = SheetFile.wanted(sheet, open_)
    with asked.client_near(image, data) as client:
        if image == FROM_STDIN:
            _refuse_for_many(page is not None or paths or paths0)
            search_lines(client, sys.stdin.buffer, examples, limit, timeout_s=timeout_s, **fields)
            return
        found = client.search(examples, limit, timeout_s=timeout_s, **fields).result()
        settings = client.settings
    if json:
        took_ms = round((time.perf_counter() - begun) * 1000, 1)
        show_json({"query": image, "neighbours": neighbours_json(found), "took_ms": took_ms, "note": found.note})
    elif paths or paths0:
        show_paths([each.path for each in found], settings.library, ended_by="\0" if paths0 else "\n")
        say_aside(found.note)
    else:
        show_neighbours(found, found.note)
    if page is not None:
        page.write_search(examples, found, settings)
        say_aside(None if json else f"The sheet is {page.file}.")
        if open_:
            open_file(page.file)


@app.command()
def sample(
    count: Annotated[int, typer.Option("-k", "--count", min=1, help="How many images.")] = 12,
    folder: asked.Folder = None,
    paths: Paths = False,
    paths0: Paths0 = False,
    sheet: Sheet = None,
    open_: Open = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a few images that are as unlike each other as can be, to begin with."""
    page = SheetFile.wanted(sheet, open_)
    with Client(data=data) as client:
        found = client.sample(count, folder=folder)
        settings = client.settings
    if json:
        show_json({"paths": found.paths, "among": found.among})
    elif paths or paths0 or found.paths:
        show_paths(found.paths, settings.library if paths or paths0 else None, ended_by="\0" if paths0 else "\n")
    else:
        say("Nothing is indexed there yet. `lookalike status` tells how far it is.")
    if page is not None:
        page.write_sample(found, settings)
        say_aside(None if json else f"The sheet is {page.file}.")
        if open_:
            open_file(page.file)


def _refuse_for_many(is_given: bool) -> None:
    if is_given:
        raise typer.BadParameter("many queries are answered as JSON alone, one a line", param_hint="-")
