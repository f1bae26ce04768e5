"""Prints: JSON for programs, tables for people. Colours only where a terminal wants them (rich, NO_COLOR)."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from lookalike.cli.manners import is_quiet
from lookalike.doctor import Finding
from lookalike.neighbour import Neighbour
from lookalike.paths import shown
from lookalike.status import Status
from lookalike.verify import Comparison

MOST_EXAMPLES = 5
COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}


def say_error(sentence: str) -> None:
    """One error on stderr."""
    Console(stderr=True, highlight=False).print(f"[red]Error:[/red] {_plain(sentence)}", soft_wrap=True)


def say(sentence: str) -> None:
    """One sentence on stdout for people, not with --quiet."""
    Console(highlight=False, quiet=is_quiet()).print(_plain(sentence), soft_wrap=True)


def show_json(document: Any) -> None:
    """One JSON document on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def show_neighbours(neighbours: Sequence[Neighbour]) -> None:
    """Neighbours, best first."""
    if not neighbours:
        say("Nothing is indexed yet. `lookalike status` tells how far it is.")
        return
    table = Table("similarity", "score", "path", box=None, header_style="dim")
    for found in neighbours:
        table.add_row(f"{found.similarity:.3f}", f"{found.score:.4f}", _plain(found.path))
    Console(highlight=False).print(table)


def show_files(rows: Sequence[tuple[str, str]]) -> None:
    """Two plain columns, one line a file, made for `grep` as well as for eyes."""
    for first, second in rows:
        sys.stdout.write(f"{first}\t{second}\n")


def show_status(status: Status) -> None:
    """The status as a small table; what needs somebody's attention comes last."""
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
        ("ETA", eta_words(status.eta_s)),
        ("embedded", f"{status.embedded_total} since the index was made"),
        ("model", f"{status.model}, {status.distance}"),
        (
            "computes",
            None
            if status.backend is None
            else f"{status.backend}, {status.precision}, {status.threads} thread(s) a process",
        ),
        ("flower", status.flower_url),
        ("parts", ", ".join(f"{part} {state}" for part, state in status.parts.items())),
        ("producer", status.state),
    ):
        table.add_row(name, unknown if value is None else _plain(str(value)))
    console = Console(highlight=False)
    console.print(table)
    if status.warning:
        console.print(f"[yellow]{_plain(status.warning)}[/yellow]", soft_wrap=True)


def show_finding(finding: Finding) -> None:
    """One line of `doctor`, and its remedy below it; with --quiet only what is not well."""
    if finding.state == "ok" and is_quiet():
        return
    console = Console(highlight=False)
    state = f"[{COLOURS[finding.state]}]{finding.state:8}[/]"
    console.print(f"{state}{finding.name:15} {_plain(finding.found)}", soft_wrap=True)
    if finding.remedy is not None:
        console.print(f"{'':8}{'':15} -> {_plain(finding.remedy)}", soft_wrap=True)


def show_comparison(found: Comparison, *, is_deep: bool) -> None:
    """Numbers with some names; what it means comes last."""
    kinds = [("lost", found.lost), ("ghosts", found.ghosts), ("stale", found.stale)]
    kinds += [("wrong", found.wrong)] if is_deep else []
    table = Table(box=None, show_header=False)
    for name, files in kinds:
        examples = [shown(path) for path in files.paths[:MOST_EXAMPLES]]
        more = ["..."] if files.count > len(examples) else []
        table.add_row(name, str(files.count), _plain(", ".join(examples + more)))
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


def eta_words(eta_s: float | None) -> str:
    """8 -> "8 s", 130 -> "2 min", 7300 -> "2.0 h"; unknown without a rate."""
    if eta_s is None:
        return "unknown"
    if eta_s < 100:  # noqa: PLR2004
        return f"{eta_s:.0f} s"
    return f"{eta_s / 60:.0f} min" if eta_s < 6000 else f"{eta_s / 3600:.1f} h"  # noqa: PLR2004


def _plain(text: str) -> str:
    """Text from outside, so that brackets in a file name are no markup and control characters do nothing."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text).replace("[", r"\[")
