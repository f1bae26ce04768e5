"""Commands about the system on this machine: up, down, logs, status, doctor, model."""

import dataclasses
import math
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import TextColumn
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lookalike import local
from lookalike.cli.app import Data, Json, app
from lookalike.cli.options.verbosity import is_quiet
from lookalike.cli.output import progress_bar, show_check_result, show_json, show_status
from lookalike.client import Client
from lookalike.client.status import Status
from lookalike.doctor import CheckResult, check_machine
from lookalike.errors import Misconfigured, NotRunning, Refused, TimedOut
from lookalike.local.console import format_duration
from lookalike.local.folders.joining import ONLY_THESE
from lookalike.local.logs import ALSO
from lookalike.settings import read_settings
from lookalike.system.data_folder import data_folder
from lookalike.system.parts import PART_NAMES
from lookalike.system.service_paths import python_module, service_environment
from lookalike.terminal import escaped

POLL_S = 0.25
# The producer reports once a second: only a state that lasts longer than that is certain.
CALM_S = 1.5
# How long an `up` may take until its lock can be seen: it imports for a second or two on a busy machine.
UNSEEN_S = 5.0

model = typer.Typer(help="Get other models than the one that ships.", no_args_is_help=True)
app.add_typer(model, name="model")


@app.command()
def up(
    folders: Annotated[
        list[str], typer.Argument(metavar="FOLDER...", help="Folders with the images, or s3://bucket/prefix.")
    ],
    data: Data = None,
    model: Annotated[
        str | None, typer.Option(help="Path of an ONNX model, or the name of one that ships. [LOOKALIKE_MODEL]")
    ] = None,
    distance: Annotated[str | None, typer.Option(help="cosine, dot, euclid or manhattan. [LOOKALIKE_DISTANCE]")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Drop the index that is there.")] = False,
    only_these: Annotated[
        bool, typer.Option(ONLY_THESE, help="Take folders that are not named out of the library and its index.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the gallery in a browser once it answers.")] = False,
) -> None:
    """Start everything on this machine and index FOLDER, or several as one library; Ctrl-C stops it."""
    settings = read_settings(data=data, model=model, distance=distance)
    first, *more = [read_settings(library=folder).library for folder in folders]
    assert first is not None  # noqa: S101 (it was given)
    others = [folder for folder in more if isinstance(folder, Path)]
    if len(others) < len(more):
        raise Misconfigured("A bucket is a library by itself: name it alone.")
    local.up(
        settings,
        first,
        more=others,
        only_these=only_these,
        rebuild=rebuild,
        open_page=webbrowser.open if open_ else None,
        console=Console(quiet=is_quiet()),
    )


@app.command()
def down(data: Data = None) -> None:
    """Stop the running system."""
    local.down(read_settings(data=data))


@app.command()
def logs(
    part: Annotated[
        str | None,
        typer.Argument(help="One part; all of them if none is named.", autocompletion=lambda: [*PART_NAMES, *ALSO]),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with each new line.")] = False,
    data: Data = None,
) -> None:
    """Show the logs of the parts."""
    # The lines contain names of files.
    local.logs(read_settings(data=data), part, follow=follow, say=_say_line)


@app.command()
def status(
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing is left to do.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, metavar="S", help="With --wait: give up after so many seconds.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what is discovered, indexed, rejected and queued, and which parts run."""
    with _client_of_starting(data) if wait else Client(data=data) as client:
        now = _wait_until_done(client, timeout) if wait else client.status()
    if json:
        show_json(now.model_dump())
    else:
        auth = client.settings.flower_auth
        show_status(now, flower_auth=None if auth is None else auth.get_secret_value())


@app.command()
def doctor(data: Data = None, json: Json = False) -> None:
    """Look at everything that lookalike needs here, and tell what helps; exit code 1 if something is broken."""
    try:
        settings = read_settings(data=data)
    except Misconfigured as error:
        results: Iterable[CheckResult] = [CheckResult("settings", "broken", "cannot be read", str(error))]
    else:
        results = check_machine(settings)
    done = list(results if json else _shown(results))
    is_well = all(result.state != "broken" for result in done)
    if json:
        show_json({"ok": is_well, "findings": [dataclasses.asdict(result) for result in done]})
    if not is_well:
        raise typer.Exit(1)


@model.callback()
def about() -> None:
    """Get other models than the one that ships."""


@model.command()
def fetch(name: Annotated[str, typer.Argument(help="Name of a published model: resnet50.")], data: Data = None) -> None:
    """Download a published model and make it fit; LOOKALIKE_MODEL takes its name then."""
    into = data_folder(read_settings(data=data)).models
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A program like the services: it needs packages that the client alone does not install.
    done = subprocess.run(
        python_module("models.fetch", name, "--into", str(into)), env=service_environment(), check=False
    )
    raise typer.Exit(done.returncode)


def _say_line(line: str) -> None:
    sys.stdout.write(escaped(line) + "\n")


def _shown(results: Iterable[CheckResult]) -> Iterator[CheckResult]:
    """Shows each result at once, because all checks together take seconds."""
    for result in results:
        show_check_result(result)
        yield result


def _client_of_starting(data: Path | None) -> Client:
    """A client, also of a system whose `up` was started a moment ago and is not published yet."""
    retrying = Retrying(
        retry=retry_if_exception_type(NotRunning),
        stop=stop_after_delay(UNSEEN_S),
        wait=wait_fixed(POLL_S),
        reraise=True,
    )
    return retrying(lambda: Client(data=data))


def _wait_until_done(client: Client, timeout_s: float | None) -> Status:
    """Waits, with a progress bar, until nothing is left to do. Raises TimedOut with what is left.

    Raises Refused where a pause keeps that from being done: it may last for hours.
    """
    until_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
    progress = progress_bar(TextColumn("{task.fields[eta]}"))
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
                eta=f"ETA {format_duration(now.eta_s)}",
            )
            if not now.is_done:
                calm_since = None
                if now.paused:
                    raise Refused(f"It is not done and will not be by itself now: {now.what_is_left()}.")
            elif calm_since is None:
                calm_since = time.monotonic()
            elif time.monotonic() - calm_since >= CALM_S:
                return now
            if time.monotonic() > until_s:
                left = now.what_is_left() or "it was only just done"
                raise TimedOut(f"Not done after {timeout_s:g} s: {left}.")
            time.sleep(POLL_S)
