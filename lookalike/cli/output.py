"""Prints: JSON for programs, tables for people. Colours only where a terminal wants them (rich, NO_COLOR)."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text
from typer import rich_utils
from typer.exceptions import TyperException

from lookalike.cli.options.verbosity import is_quiet, shows_progress
from lookalike.cli.streams import write_json
from lookalike.client.status import Status
from lookalike.doctor import CheckResult
from lookalike.library.address import BucketAddress, located
from lookalike.library.paths import escape_path, unescape_path
from lookalike.local.console import format_duration
from lookalike.search.neighbour import Neighbour
from lookalike.terminal import escaped, escaped_name
from lookalike.verify import Comparison

MOST_EXAMPLES = 5
COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}


def say_error(sentence: str) -> None:
    """One error on stderr; ignored if stderr cannot be written either."""
    with suppress(OSError):
        Console(stderr=True).print(Text.assemble(("Error:", "red"), " ", escaped(sentence)), soft_wrap=True)


def say_usage(error: TyperException) -> None:
    """A usage error on stderr, which may quote what was typed."""
    message = escaped(error.format_message())
    error.format_message = lambda: message  # type: ignore[method-assign]
    with suppress(OSError):
        rich_utils.rich_format_error(error)  # type: ignore[arg-type]


def say(sentence: str) -> None:
    """One sentence on stdout for people, not with --quiet."""
    Console(quiet=is_quiet()).print(Text(escaped(sentence)), soft_wrap=True)


def show_json(document: Any) -> None:
    """One JSON document on stdout, with the exact names."""
    write_json(document)


def say_aside(sentence: str | None) -> None:
    """One sentence on stderr for people, if there is one, where stdout is for a program; not with --quiet."""
    if sentence:
        Console(stderr=True, quiet=is_quiet()).print(Text(escaped(sentence)), soft_wrap=True)


def show_neighbours(neighbours: Sequence[Neighbour], note: str | None = None) -> None:
    """Neighbours, best first, each with its copies if they were grouped; the note after them, or in their place."""
    if neighbours:
        table = Table(box=None, header_style="dim")
        table.add_column("similarity")
        table.add_column("score")
        # A path that is cut cannot be copied.
        table.add_column("path", overflow="fold")
        for found in neighbours:
            table.add_row(f"{found.similarity:.3f}", f"{found.score:.4f}", Text(escaped_name(found.path)))
            for copy in found.paths:
                if copy != found.path:
                    table.add_row("", "copy", Text(escaped_name(copy), style="dim"))
        Console(highlight=False).print(table)
        say_aside(note)
    elif note:
        say(note)


def neighbours_json(found: Sequence[Neighbour]) -> list[dict[str, Any]]:
    """Neighbours as JSON has them."""
    return [
        {
            "path": each.path,
            "score": each.score,
            "similarity": each.similarity,
            "payload": dict(each.payload),
            "id": each.id,
            "paths": [*each.paths],
        }
        for each in found
    ]


def show_paths(paths: Iterable[str], library: Path | BucketAddress | None, *, ended_by: str) -> None:
    """Paths alone: of the files themselves where the library is here, else as the index has them.

    Ended by NUL they are exact to the byte; one a line, what does not print is escaped.
    """
    root = None if isinstance(library, Path) and not library.is_dir() else library
    for path in paths:
        name = unescape_path(path) if root is None else located(root, unescape_path(path))
        if ended_by == "\0":
            sys.stdout.flush()
            sys.stdout.buffer.write(os.fsencode(name) + b"\0")
        else:
            sys.stdout.write(f"{escaped_name(escape_path(name))}{ended_by}")
    sys.stdout.flush()


def show_files(rows: Iterable[tuple[str, str]]) -> None:
    """Two plain columns, one line a file, made for `grep` as well as for eyes."""
    for first, second in rows:
        sys.stdout.write(f"{escaped_name(first)}\t{escaped_name(second)}\n")


def show_status(status: Status, flower_auth: str | None = None) -> None:
    """The status as a small table; a warning comes last. `flower_auth` is user:password for Flower."""
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    unknown = "unknown"
    for name, value in (
        ("library", status.library),
        ("discovered", status.discovered),
        ("indexed", status.indexed),
        ("rejected", status.rejected),
        ("ignored", status.ignored),
        ("queued", status.queued),
        ("rate", f"{status.rate_per_s:.1f}/s"),
        ("ETA", format_duration(status.eta_s)),
        ("embedded", f"{status.embedded_total} since the index was made"),
        ("model", f"{status.model}, {status.distance}"),
        (
            "computes",
            None
            if status.backend is None
            else f"{status.backend}, {status.precision}, {status.threads} thread(s) a process",
        ),
        ("gallery", status.web_url),
        ("flower", status.flower_url),
        *([] if flower_auth is None else [("", "user {0}, password {2}".format(*flower_auth.partition(":")))]),
        ("parts", ", ".join(f"{part} {state}" for part, state in status.parts.items())),
        ("producer", status.state),
        *([("ingest", status.paused)] if status.paused else []),
        *([("duplicates", _duplicates(status))] if status.duplicate_groups is not None else []),
        *_generations(status),
    ):
        table.add_row(name, Text(unknown if value is None else escaped(str(value))))
    console = Console(highlight=False)
    console.print(table)
    if status.warning:
        console.print(Text(escaped(status.warning), style="yellow"), soft_wrap=True)


def _duplicates(status: Status) -> str:
    return f"{status.duplicate_groups} groups, {decimal(status.duplicate_bytes or 0)} to be saved, when last looked for"


def _generations(status: Status) -> Iterator[tuple[str, str]]:
    """Rows about a second generation, and about one that is kept."""
    if status.reindex is not None:
        eta = f", ETA {format_duration(status.reindex.eta_s)}" if status.reindex.state == "filling" else ""
        yield "reindex", status.reindex.in_words() + eta
    if status.kept is not None:
        since = datetime.fromtimestamp(status.kept.since, UTC).astimezone()
        yield "kept", f"{status.kept.model}, {status.kept.distance}, since {since:%Y-%m-%d %H:%M}"


def show_check_result(result: CheckResult) -> None:
    """One line of `doctor`, and its remedy below it; with --quiet only what is not ok."""
    if result.state == "ok" and is_quiet():
        return
    console = Console(highlight=False)
    state = (f"{result.state:8}", COLOURS[result.state])
    console.print(Text.assemble(state, f"{result.name:15} {escaped(result.found)}"), soft_wrap=True)
    if result.remedy is not None:
        console.print(Text(f"{'':8}{'':15} -> {escaped(result.remedy)}"), soft_wrap=True)


def show_comparison(found: Comparison, *, is_deep: bool) -> None:
    """Counts with some names, and what they mean."""
    # Lost and stale files have their names on the disk, the other kinds their paths in the index.
    kinds = [
        ("lost", found.lost.count, [escape_path(path) for path in found.lost.paths[:MOST_EXAMPLES]]),
        ("ghosts", found.ghosts.count, found.ghosts.paths[:MOST_EXAMPLES]),
        ("stale", found.stale.count, [escape_path(path) for path in found.stale.paths[:MOST_EXAMPLES]]),
    ]
    kinds += [("wrong", found.wrong.count, found.wrong.paths[:MOST_EXAMPLES])] if is_deep else []
    table = Table(box=None, show_header=False)
    for name, count, paths in kinds:
        examples = [escaped_name(path) for path in paths]
        more = ["..."] if count > len(examples) else []
        table.add_row(name, str(count), Text(", ".join(examples + more)))
    table.add_row("rejected", str(found.rejected), "")
    if is_deep:
        table.add_row("embedded again", str(found.checked), "")
    Console(highlight=False).print(table)
    if found.is_broken:
        say("Library and index differ: `lookalike logs` may tell why, and a rescan puts it right.")
    elif found.differing:
        say("The system is still at work, so these are pending: `lookalike status --wait` tells when it is done.")
    else:
        say("Library and index agree.")


def progress_bar(last: ProgressColumn) -> Progress:
    """A bar on stderr: description, bar, count and one more column; disabled where it would not be seen."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        last,
        console=Console(stderr=True),
        transient=True,
        disable=not shows_progress(),
    )
