"""The command that measures the model on photos of the user's own library: evaluate.

What measures is a program of the services (models/tools/own_photos.py): it needs packages that the client alone does
not install, and its memory ends with it.
"""

import hashlib
import heapq
import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import TimeRemainingColumn
from rich.table import Table

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import progress_bar, say, show_json
from lookalike.cli.service_program import report_of, why
from lookalike.client import Client
from lookalike.errors import Refused
from lookalike.library.address import BucketAddress
from lookalike.library.opening import library_of
from lookalike.library.paths import unescape_path
from lookalike.local.supervision.processes import process_environment
from lookalike.settings import Settings
from lookalike.system.service_paths import python_module

# Every photo is compared with fifteen copies of every other: of 1,000 that is 15 million pairs.
MOST_PHOTOS = 1000
FAULT = "The model cannot be measured: "


@app.command()
def evaluate(
    photos: Annotated[
        int, typer.Option("--photos", min=2, max=MOST_PHOTOS, metavar="N", help="How many photos, drawn from all.")
    ] = 500,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure how well the model finds copies of your own photos, and the photos of their folders."""
    with Client(data=data) as client:
        root = library_of(client.settings).root
        if isinstance(root, BucketAddress):
            raise Refused(
                "Photos of a folder are measured, and this library is a bucket: copy some of it into a folder."
            )
        names = drawn((file.path for file in client.list() if file.status == "indexed"), photos)
        generation = client.status().generation or ""
        settings = client.settings
    if len(names) <= 1:
        raise Refused("Comparing takes two indexed photos: `lookalike status` tells how many there are.")
    progress = progress_bar(TimeRemainingColumn())
    with progress:
        bar = progress.add_task("measuring", total=len(names))
        report = measured(settings, root, names, generation, lambda done: progress.update(bar, completed=done))
    if json:
        show_json(report)
    else:
        show_report(report)


def drawn(paths: Iterable[str], count: int) -> list[str]:
    """As many paths of all, as if drawn by lot: of the same library always the same."""
    return heapq.nsmallest(count, paths, key=lambda path: hashlib.sha256(path.encode()).digest())


def measured(
    settings: Settings, root: Path, names: Iterable[str], generation: str, tell: Callable[[int], None]
) -> dict[str, Any]:
    """The report of the program, which is ended with this call. Raises Misconfigured with its last sentence."""
    environment = process_environment(settings, os.environ)
    command = python_module("models.tools.own_photos", _model_file(environment), str(root), "--generation", generation)
    wanted = b"".join(os.fsencode(unescape_path(name)) + b"\0" for name in names)
    return report_of(command, environment, lambda done, _: tell(done), standard_input=wanted, fault=FAULT)


def _model_file(environment: Mapping[str, str]) -> str:
    """The file of the model that is set. Raises Misconfigured."""
    done = subprocess.run(
        python_module("worker.prepare", "--check-model"), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise why(done.stderr, FAULT)
    return str(json.loads(done.stdout)["file"])


def show_report(report: Mapping[str, Any]) -> None:
    """Tables, each with what it means."""
    console = Console(highlight=False)
    photos, whole = report["photos"], report["pairs"]
    vector = "copy descriptor" if report["by_copy"] else "embedding (the model has no vector for copies)"
    say(
        f"{report['model']}: {photos} of your photos and {photos * len(report['found_first'])} copies that were made "
        f"of them, compared by the {vector}."
    )
    table = Table("copy", "found first", "by embedding", "precision", "recall", "recall at .99", "from", box=None)
    table.header_style = "dim"
    for kind, pairs in [("all", whole), *report["pairs_by_kind"].items()]:
        first, embedded = report["found_first"].get(kind), report["found_first_by_embedding"].get(kind)
        cells = [
            first,
            embedded,
            pairs["precision"],
            pairs["recall"],
            pairs["recall_at_p99"],
            pairs["threshold_at_p99"],
        ]
        table.add_row(kind, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
    console.print(table)
    for sentence in meaning(report):
        say(sentence)


def meaning(report: Mapping[str, Any]) -> list[str]:
    """What the figures mean in this library, in sentences."""
    whole, classes = report["pairs"], report["classes"]
    found = "found first: the share of copies whose own photo is the nearest of all, as `lookalike search --piece` asks"
    sentences = [f"{found}; by embedding, as without --piece."]
    if whole["threshold"] is None:
        sentences.append("The model file names no threshold, so precision and recall at one are not known.")
    else:
        recall, precision = whole["recall"], whole["precision"]
        wrong = "none of them was" if precision is None else f"{precision:.1%} of what was called so is one"
        sentences.append(
            f"At the model's threshold {whole['threshold']:g}, {recall:.1%} of the copies are called copies of their "
            f"photo, and {wrong}. Photos of a series that look the same count as wrong here."
        )
    if whole["threshold_at_p99"] is None:
        sentences.append("At no threshold are 99 of 100 pairs right: many of your photos look the same.")
    else:
        sentences.append(
            f"Calling pairs copies from {whole['threshold_at_p99']:.3f} up finds {whole['recall_at_p99']:.1%} of them "
            "here with 99 of 100 right: a min_similarity to begin with in searches by copy."
        )
    if classes is None:
        sentences.append("Fewer than two folders have two of these photos, so there are no classes to tell apart.")
    else:
        figures = classes["figures"]
        sentences.append(
            f"With your {classes['folders']} folders as classes: the nearest photo is of the same folder for "
            f"{figures['r_at_1']:.1%} (R@1), of the ten nearest {figures['p_at_10']:.1%} are (P@10), mAP "
            f"{figures['map']:.3f}. It tells something only if a folder holds what looks alike."
        )
    if report["left_out"]:
        sentences.append(
            f"{report['left_out']} were left out: they do not open any more, or have the bytes of another."
        )
    return sentences
