"""`lookalike watch`: a standing search, which tells of each image that is indexed from now on and is like another."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lookalike.broker.events import Event
from lookalike.cli.app import Data, app
from lookalike.cli.options import query as asked
from lookalike.cli.output import neighbours_json, say_aside, say_error, show_json
from lookalike.client import Client
from lookalike.client.queries.examples import Example
from lookalike.errors import Refused, TimedOut, Unreachable
from lookalike.library.address import BucketAddress, located
from lookalike.library.paths import unescape_path
from lookalike.messages import MAX_OFFSET
from lookalike.search.neighbour import Neighbour
from lookalike.search.query import By
from lookalike.terminal import escaped_name

# How long one request for events waits, and so how late a broker that came back is seen.
WAIT_S = 30.0
TRY_AGAIN_S = 2.0
PLACE = "{}"


@app.command()
def watch(
    image: Annotated[str, typer.Argument(help="An image file here, or a path of the library.")],
    min_similarity: asked.MinSimilarity = 0.9,
    add: asked.Add = None,
    subtract: asked.Subtract = None,
    box: asked.Box = None,
    piece: asked.Piece = False,
    folder: asked.Folder = None,
    where: asked.Where = None,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec", metavar="CMD", help="Run this for each, {} being its path; without a shell: 'cp {} /picks'."
        ),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the last event seen in it, and go on from there.")
    ] = None,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document a line and nothing else.")] = False,
) -> None:
    """Tell of each image that is indexed from now on and is like this one, until Ctrl-C."""
    command = None if exec_ is None else Command.parsed(exec_)
    examples = asked.examples_of(image, box, add, subtract)
    conditions = asked.filter_of(folder, None, None, where) or []
    with asked.client_near(image, data) as client:
        standing = StandingSearch(client, examples, conditions, min_similarity, "copy" if piece else "embedding")
        standing.check()
        position = _Position(state)
        after = position.read() or client.events().next
        # At once: what comes while this is being stopped is not lost.
        position.write(after)
        say_aside(f"Waiting for images like {image!r}. Ctrl-C ends this.")
        while True:
            after = _step(standing, after, lambda found: _tell(found, client.settings.library, command, json=json))
            position.write(after)


@dataclass(frozen=True)
class StandingSearch:
    """The same search again and again, among what was indexed since."""

    client: Client
    examples: Sequence[Example]
    conditions: Sequence[str]
    min_similarity: float | None
    by: By = "embedding"

    def check(self) -> None:
        """Searches once, so that what is at fault is told before anything is waited for. Raises Refused."""
        self._search(self.conditions, 1, 0)

    def among(self, events: Sequence[Event]) -> Iterator[Neighbour]:
        """What was indexed by these events and is like the examples, best first."""
        begun = {event.path: event.at for event in events if event.event == "indexed"}
        if not begun:
            return
        # All entries since the oldest of them, of which only these are wanted.
        since = [*self.conditions, f"indexed_at>={min(begun.values())}"]
        step = self.client.settings.max_limit
        for offset in range(0, MAX_OFFSET + 1, step):
            found = self._search(since, step, offset)
            yield from (each for each in found if each.path in begun)
            if len(found) < step:
                return

    def _search(self, conditions: Sequence[str], limit: int, offset: int) -> Sequence[Neighbour]:
        return self.client.search(
            self.examples,
            limit,
            offset=offset,
            filter=[*conditions] or None,
            min_similarity=self.min_similarity,
            by=self.by,
        ).result()


@dataclass(frozen=True)
class Command:
    """A program and its arguments, in which `{}` stands for a path. There is no shell that could read the path."""

    words: Sequence[str]

    @classmethod
    def parsed(cls, text: str) -> "Command":
        """The command of a line, its words quoted as in a shell. Raises Refused for one that is not there."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise Refused(f"--exec {text!r} cannot be read ({error}).") from None
        if not words or shutil.which(words[0]) is None:
            raise Refused(f"--exec: there is no program {(words or [''])[0]!r}.")
        return cls(words if any(PLACE in word for word in words) else [*words, PLACE])

    def run(self, file: str) -> None:
        """Runs it and waits; a failure is told, and the next one is run all the same."""
        # A name that begins with a dash is no option.
        path = file if os.path.isabs(file) else f".{os.sep}{file}"  # noqa: PTH117 (a name, not a Path)
        words = [word.replace(PLACE, path) for word in self.words]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False)
        except (OSError, ValueError) as error:
            say_error(f"{words[0]!r} could not be run ({error}).")
        else:
            if done.returncode:
                say_error(f"{words[0]!r} ended with {done.returncode} for {path!r}.")


class _Position:
    """The id of the last event that was seen, kept in a file if there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def read(self) -> str | None:
        if self._file is None:
            return None
        with suppress(FileNotFoundError):
            return self._file.read_text("utf-8", "replace").strip() or None
        return None

    def write(self, after: str) -> None:
        if self._file is not None:
            draft = self._file.with_name(f"{self._file.name}.new")
            draft.write_text(f"{after}\n", "utf-8")
            draft.replace(self._file)


def _step(standing: StandingSearch, after: str, tell: Callable[[Neighbour], None]) -> str:
    """Waits for events and tells of them; where to go on, which is the same place if the system did not answer."""
    try:
        events = standing.client.events(after, wait_s=WAIT_S)
        if events.missed:
            say_aside("Events were dropped before they were seen: LOOKALIKE_MAX_EVENTS keeps more of them.")
        for found in standing.among(events.found):
            tell(found)
    except (Unreachable, TimedOut) as error:
        say_aside(f"{error} Trying again.")
        time.sleep(TRY_AGAIN_S)
        return after
    return events.next


def _tell(found: Neighbour, library: Path | BucketAddress | None, command: Command | None, *, json: bool) -> None:
    name = unescape_path(found.path)
    if json:
        (document,) = neighbours_json([found])
        show_json(document)
    else:
        sys.stdout.write(f"{found.similarity:.3f}\t{escaped_name(found.path)}\n")
    sys.stdout.flush()
    if command is not None:
        command.run(name if library is None else located(library, name))
