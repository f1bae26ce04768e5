"""`lookalike duplicates`: groups of files that hold one picture."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn

from lookalike.cli.app import Data, Json, app
from lookalike.cli.commands.searching import Open, Sheet
from lookalike.cli.options.keep import Keep, PlanFile, PlanFiles, Protect, Script, say_written, show_groups
from lookalike.cli.options.verbosity import shows_progress
from lookalike.cli.output import say, say_aside, show_json
from lookalike.cli.sheets import SheetFile, open_file
from lookalike.client import Client
from lookalike.client.duplicates import DuplicatesJob
from lookalike.duplicates.groups import LABELS, Group, Label
from lookalike.duplicates.plan import Keeping, PlannedGroup, Savings, planned
from lookalike.errors import Refused
from lookalike.local.console import format_duration
from lookalike.messages import DuplicatesReply

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
    keep: Keep = "best",
    protect: Protect = None,
    plan: PlanFile = None,
    script: Script = None,
    sheet: Sheet = None,
    open_: Open = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """List groups of files that hold one picture. Nothing is deleted or moved."""
    page, files = SheetFile.wanted(sheet, open_), PlanFiles(plan, script)
    with Client(data=data) as client:
        settings = client.settings
        files.check(settings)
        keeping = Keeping.asked(keep, protect or (), client.verdicts())
        job = client.duplicates(folder, since_last=since_last, labels=_labels(label))
        try:
            reply = _follow(job)
        except KeyboardInterrupt:
            job.cancel()
            say_aside("Cancelled; what was compared is kept, and the next run goes on from there.")
            raise
        groups = list(job.groups())
    plans = list(planned(groups, keeping))
    if json:
        show_json([group_json(*each) for each in zip(groups, plans, strict=True)])
    else:
        _show(plans, reply, limit)
    files.write(plans, keeping, settings)
    if not json:
        say_written(files)
    if page is not None:
        which = page.write_groups(plans, settings)
        say_aside(None if json else f"The sheet of {which} is {page.file}.")
        if open_:
            open_file(page.file)


def group_json(group: Group, plan: PlannedGroup) -> dict[str, object]:
    """A group as the JSON of the command: with what to keep by the rule, why, and what the plan would move."""
    move = [file.path for file in plan.moved]
    return {**group.model_dump(mode="json", exclude={"files"}), "keep": plan.keep, "why": plan.why, "move": move}


def _labels(words: list[str] | None) -> list[Label]:
    chosen = [label for label in LABELS if label in (words or LABELS[:3])]
    wrong = set(words or ()) - set(LABELS)
    if wrong:
        raise Refused(f"--label {min(wrong)!r} is none of {', '.join(LABELS)}.")
    return chosen


def _follow(job: DuplicatesJob) -> DuplicatesReply:
    """Waits for the job and shows how far it is, on a terminal."""
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


def _show(plans: Sequence[PlannedGroup], reply: DuplicatesReply, limit: int) -> None:
    shown = plans[:limit] if limit else plans
    if shown:
        show_groups(shown)
        sys.stdout.flush()
    counts = ", ".join(f"{count} {label}" for label, count in reply.pairs.items() if count)
    saved = Savings.of(plans)
    say(
        f"{reply.groups} groups ({counts or 'no pairs'}) among {reply.files} files; "
        f"to move {saved.files} of them would save {decimal(saved.size_bytes)}."
    )
    if len(shown) < len(plans):
        say_aside(f"The first {limit} are shown; --limit 0 shows all, --json for programs.")
    if reply.approximate:
        say_aside("The library is so large that the nearest were looked for approximately: some may be missed.")
