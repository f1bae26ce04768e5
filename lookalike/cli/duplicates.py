"""`lookalike duplicates`: groups of files that hold one picture."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import say, say_aside, show_json
from lookalike.cli.verbosity import shows_progress
from lookalike.client import Client
from lookalike.client.duplicates import DuplicatesJob
from lookalike.duplicates.groups import LABELS, Group, Label
from lookalike.errors import Refused
from lookalike.local.console import format_duration
from lookalike.messages import DuplicatesReply
from lookalike.terminal import escaped_name

LOOK_S = 0.5
SHOWN = 20


@app.command()
def duplicates(
    folder: Annotated[Path | None, typer.Argument(help="A folder of the library; all of it if none is named.")] = None,
    since_last: Annotated[bool, typer.Option("--since-last", help="Only groups with a file that is new.")] = False,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL", help=f"Only these of {', '.join(LABELS)}; the first three if none."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Most groups that the table shows; 0 for all.")
    ] = SHOWN,
    data: Data = None,
    json: Json = False,
) -> None:
    """List groups of files that hold one picture. Nothing is deleted or moved."""
    with Client(data=data) as client:
        job = client.duplicates(folder, since_last=since_last, labels=_labels(label))
        try:
            reply = _follow(job)
        except KeyboardInterrupt:
            job.cancel()
            say_aside("Cancelled; what was compared is kept, and the next run goes on from there.")
            raise
        if json:
            show_json([group_json(group) for group in job.groups()])
        else:
            _show(job, reply, limit)


def group_json(group: Group) -> dict[str, object]:
    """A group as the JSON of the command."""
    return group.model_dump(mode="json", exclude={"files"})


def _labels(words: list[str] | None) -> list[Label]:
    chosen = [label for label in LABELS if label in (words or LABELS[:3])]
    wrong = set(words or ()) - set(LABELS)
    if wrong:
        raise Refused(f"--label {min(wrong)!r} is none of {', '.join(LABELS)}.")
    return chosen


def _follow(job: DuplicatesJob) -> DuplicatesReply:
    """Waits for the job and shows how far it is, where somebody watches."""
    if not shows_progress():
        return job.result()
    columns = (
        TextColumn("comparing"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("", total=1.0, left="")
        while (status := job.status()).state in {"queued", "started"}:
            left = "" if status.eta_s is None else f"{format_duration(status.eta_s)} left"
            shown.update(bar, completed=status.progress or 0.0, left=left)
            time.sleep(LOOK_S)
    return job.result()


def _show(job: DuplicatesJob, reply: DuplicatesReply, limit: int) -> None:
    table = Table(box=None, header_style="dim")
    for name in ("label", "similarity", "path"):
        table.add_column(name, overflow="fold")
    for number, group in enumerate(job.groups()):
        if limit and number >= limit:
            break
        table.add_row("centre", "", Text(escaped_name(group.centre), style="bold"))
        for pair in group.pairs:
            table.add_row(pair.label, f"{pair.similarity:.3f}", Text(escaped_name(pair.b)))
    if table.row_count:
        Console(highlight=False).print(table)
        sys.stdout.flush()
    counts = ", ".join(f"{count} {label}" for label, count in reply.pairs.items() if count)
    size = f"{reply.saved_bytes / 1e6:,.1f} MB in copies"
    say(f"{reply.groups} groups ({counts or 'no pairs'}) among {reply.files} files; {size}.")
    if limit and reply.groups > limit:
        say_aside(f"The first {limit} are shown; --limit 0 shows all, --json for programs.")
    if reply.approximate:
        say_aside("The library is so large that the nearest were looked for approximately: some may be missed.")
