"""Commands that ask: search, status, list, rejected."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import eta_words, show_files, show_json, show_neighbours, show_status
from lookalike.cli.verbosity import shows_progress
from lookalike.client import Client
from lookalike.errors import NotRunning
from lookalike.status import Status
from lookalike.terminal import escaped

POLL_S = 0.25
# The producer renews its note once a second: only what holds longer than that is known to be so.
CALM_S = 1.5
# How long `up` may take until it can be seen to start: it imports for a second or two on a busy machine.
UNSEEN_S = 5.0


@app.command()
def search(
    image: Annotated[Path, typer.Argument(help="An image file here, or a path of the library.")],
    limit: Annotated[int, typer.Option("-k", "--limit", min=1, help="How many neighbours.")] = 10,
    timeout_s: Annotated[float | None, typer.Option("--timeout", min=0.1, help="Seconds to wait.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the images that look most like this one."""
    begun = time.perf_counter()
    with Client(data=data) as client:
        neighbours = client.search(image, limit, timeout_s=timeout_s).result()
    if not json:
        show_neighbours(neighbours)
        return
    show_json(
        {
            "query": str(image),
            "neighbours": [
                {"path": it.path, "score": it.score, "similarity": it.similarity, "payload": dict(it.payload)}
                for it in neighbours
            ],
            "took_ms": round((time.perf_counter() - begun) * 1000, 1),
        }
    )


@app.command()
def status(
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing is left to do.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what is discovered, indexed, rejected and queued, and which parts run."""
    with _soon_there(data) if wait else Client(data=data) as client:
        now = _wait(client) if wait else client.status()
    if json:
        show_json(now.model_dump())
    else:
        show_status(now)


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


def _soon_there(data: Path | None) -> Client:
    """A client, also of a system whose `up` was typed a moment ago and that cannot be seen yet."""
    until_s = time.monotonic() + UNSEEN_S
    while True:
        try:
            return Client(data=data)
        except NotRunning:
            if time.monotonic() > until_s:
                raise
            time.sleep(POLL_S)


def _wait(client: Client) -> Status:
    """Waits, with a bar on stderr, until everything that is there is done."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[eta]}"),
        console=Console(stderr=True),
        transient=True,
        disable=not shows_progress(),
    )
    calm_since: float | None = None
    with progress:
        bar = progress.add_task("waiting", total=None, eta="")
        while True:
            now = client.status()
            finished = (now.indexed or 0) + (now.rejected or 0)
            progress.update(
                bar,
                description=escaped(now.state),
                completed=finished,
                total=now.discovered,
                eta=f"ETA {eta_words(now.eta_s)}",
            )
            if not now.is_done:
                calm_since = None
            elif calm_since is None:
                calm_since = time.monotonic()
            elif time.monotonic() - calm_since >= CALM_S:
                return now
            time.sleep(POLL_S)
