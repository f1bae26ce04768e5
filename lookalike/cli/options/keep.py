"""Options of `lookalike duplicates` about what to keep, and the files that a plan is written to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from lookalike.cli.output import say_aside
from lookalike.duplicates.plan import Keeping, PlannedFile, PlannedGroup
from lookalike.duplicates.script import csv_of, json_of, script_of
from lookalike.errors import Refused
from lookalike.library.address import BucketAddress
from lookalike.settings import Settings
from lookalike.system.data_folder import write_private
from lookalike.terminal import escaped, escaped_name

Keep = Annotated[
    str, typer.Option("--keep", metavar="RULE", help="Which to keep: best, oldest, largest, or in:FOLDER.")
]
Protect = Annotated[
    list[str] | None,
    typer.Option("--protect", metavar="FOLDER", help="Folder of the library of which nothing is to be moved; repeats."),
]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", metavar="FILE", help="Write what to keep and why: .json or .csv.")
]
Script = Annotated[
    Path | None, typer.Option("--script", metavar="FILE", help="Write a shell script that moves the others; run it.")
]
PLAN_FORMATS = (".json", ".csv")


@dataclass(frozen=True)
class PlanFiles:
    """Where a plan is written to."""

    plan: Path | None
    script: Path | None

    def check(self, settings: Settings) -> None:
        """Raises Refused for files that cannot be written, before the work for them is done."""
        if self.plan is not None and self.plan.suffix.lower() not in PLAN_FORMATS:
            raise Refused(f"A plan is written as {' or '.join(PLAN_FORMATS)}, and {str(self.plan)!r} is neither.")
        for file in filter(None, (self.plan, self.script)):
            if not file.absolute().parent.is_dir():
                raise Refused(f"The folder of {str(file)!r} is not there: make it, or name another one.")
        if self.script is not None and isinstance(settings.library, BucketAddress):
            raise Refused("A script moves files of a folder, and this library is a bucket: write a plan with --plan.")
        if self.script is not None and settings.library is None:
            raise Refused("A script names files, and the library is not here: write it where the library is.")

    def write(self, groups: Sequence[PlannedGroup], keeping: Keeping, settings: Settings) -> None:
        """Writes what is asked for. Raises Refused."""
        if self.plan is not None:
            is_table = self.plan.suffix.lower() == ".csv"
            _write(self.plan, "".join(csv_of(groups) if is_table else json_of(groups, keeping)).encode())
        if self.script is not None and settings.library_folder is not None:
            _write(self.script, b"".join(script_of(groups, settings.library_folder)))


def show_groups(groups: Sequence[PlannedGroup]) -> None:
    """A table for people: each group with what to keep first, and a reason for each file."""
    table = Table(box=None, header_style="dim")
    for name in ("", "", "pixels", "bytes"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    # A path that is cut cannot be copied.
    table.add_column("path", overflow="fold", ratio=3)
    table.add_column("why", overflow="fold", ratio=2)
    for group in groups:
        for number, file in enumerate(group.files):
            table.add_row(*_row(file, group.label if number == 0 else ""), end_section=number == len(group.files) - 1)
        table.add_row()
    Console(highlight=False).print(table)


def say_written(files: PlanFiles) -> None:
    """Where what was asked for is, and what to do with it."""
    if files.plan is not None:
        say_aside(f"The plan is {files.plan}.")
    if files.script is not None:
        say_aside(f"Nothing was moved: read {files.script}, then run `sh {files.script} FOLDER` with a folder outside.")


def _row(file: PlannedFile, label: str) -> list[str | Text]:
    facts = file.facts
    action = Text(file.action, style="green" if file.action == "keep" else "")
    pixels = f"{facts.width_px}x{facts.height_px}"
    return [label, action, pixels, decimal(facts.size_bytes), Text(escaped_name(file.path)), Text(escaped(file.reason))]


def _write(file: Path, content: bytes) -> None:
    try:
        write_private(file, content)
    except OSError as error:
        raise Refused(f"{str(file)!r} cannot be written ({error.strerror or error}).") from error
