"""The command that asks two generations of the index the same: compare."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lookalike.cli.app import Data, Json, app
from lookalike.cli.commands.evaluate import drawn
from lookalike.cli.commands.searching import Open, Sheet
from lookalike.cli.output import say, say_aside, show_json
from lookalike.cli.sheets import Row, SheetFile, open_file
from lookalike.client import Client
from lookalike.client.queries.searches import Answer
from lookalike.errors import Refused
from lookalike.local.second_system import second_settings
from lookalike.local.servers.addresses import absolute_model
from lookalike.search.agreement import Figures, figures_of, overlap

MOST_QUERIES = 1000
# So deep a ranking is looked at for the mean average precision.
DEPTH = 100
SHOWN_QUERIES, SHOWN_NEIGHBOURS = 8, 5


@app.command()
def compare(
    model: Annotated[
        str | None, typer.Option(help="The model that a reindex was begun for; the one under way if left out.")
    ] = None,
    queries: Annotated[
        int,
        typer.Option("--queries", min=1, max=MOST_QUERIES, metavar="N", help="How many photos ask, of all."),
    ] = 100,
    sheet: Sheet = None,
    open_: Open = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Ask the index that is searched and the one that a reindex fills in the same, before the switch."""
    page = SheetFile.wanted(sheet, open_)
    with Client(data=data) as first:
        status = first.status()
        found = status.reindex
        if found is None or found.order != "fill" or (model and absolute_model(model) != found.model):
            wanted = model or "X"
            raise Refused(
                f"No second index of {wanted} is being filled in: `lookalike reindex --model {wanted} --hold` does, "
                "and leaves the searches where they are."
            )
        if found.state != "held":
            say_aside(f"The second index is {found.in_words()}: what it lacks is not found in it.")
        files = [file.path for file in first.list() if file.status == "indexed"]
        asked = drawn(files, queries)
        with Client(second_settings(first.settings, found.model, found.distance)) as second:
            name = second.status().model
            now, then = (
                first.search_many(asked, DEPTH, exclude_self=True),
                second.search_many(asked, DEPTH, exclude_self=True),
            )
            answers = [(path, one, other) for path, one, other in zip(asked, now, then, strict=True)]
    both = [(path, _paths(one), _paths(other)) for path, one, other in answers if one.error is other.error is None]
    if not both:
        raise Refused("The two have no photo in common yet: `lookalike status` tells how far the second one is.")
    folders = Counter(str(PurePosixPath(path).parent) for path in files)
    figures = [figures_of([(row[0], row[at]) for row in both], folders, DEPTH) for at in (1, 2)]
    same = sum(overlap(one, other, 10) for _, one, other in both) / len(both)
    names = (f"{status.model}, {status.distance}", f"{name}, {found.distance}")
    if json:
        documents = [{"model": each, **vars(figure)} for each, figure in zip(names, figures, strict=True)]
        show_json(
            {"queries": len(both), "overlap_at_10": round(same, 4), "searched": documents[0], "next": documents[1]}
        )
    else:
        _show(names, figures, same, len(both))
    if page is not None:
        rows = [
            Row(path, one.neighbours[:SHOWN_NEIGHBOURS], other.neighbours[:SHOWN_NEIGHBOURS])
            for path, one, other in answers[:SHOWN_QUERIES]
        ]
        page.write_comparison(rows, names, first.settings)
        say_aside(None if json else f"The sheet is {page.file}.")
        if open_:
            open_file(page.file)


def _paths(answer: Answer) -> list[str]:
    return [each.path for each in answer.neighbours]


def _show(names: Sequence[str], figures: Sequence[Figures], same: float, queries: int) -> None:
    table = Table("", "mAP", "P@10", "nearest in its folder", box=None, header_style="dim")
    for name, figure in zip(names, figures, strict=True):
        cells = (figure.map, figure.p_at_10, figure.r_at_1)
        table.add_row(name, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
    Console(highlight=False).print(table)
    say(f"Of the ten nearest of {queries} photos {same:.0%} are the same in both.")
    if figures[0].map is None:
        say("No folder has two of these photos, so there are no classes to tell apart.")
    else:
        say(f"With your folders as classes, over the first {DEPTH} neighbours; it tells something only if a folder "
            "holds what looks alike.")  # fmt: skip
