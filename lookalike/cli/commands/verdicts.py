"""Commands about your verdicts on duplicates: verdict, verdicts."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import say, show_json
from lookalike.client import Client
from lookalike.duplicates.verdicts import VERDICTS, PairVerdict, Verdict, parse_line
from lookalike.errors import Refused
from lookalike.system.data_folder import write_private
from lookalike.terminal import escaped_name

SHORT_CHARS = 12


@app.command()
def verdict(
    a: Annotated[str, typer.Argument(metavar="A", help="A file of the library.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    verdict_: Annotated[Verdict, typer.Argument(metavar="|".join(VERDICTS), help="What you say of them.")],
    better: Annotated[
        str | None, typer.Option(metavar="A", help="With `same`: which of both is the better one.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Remember what you say of two files: it holds for their contents, wherever they move."""
    with Client(data=data) as client:
        reply = client.verdict(a, b, verdict_, better=better)
    if json:
        show_json(reply.model_dump())
    else:
        say("Remembered." if reply.recorded else "That was known already.")


@app.command()
def verdicts(
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them as lines of JSON.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Remember those of a file; newer ones count.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List your verdicts on pairs of files, or carry them to another system."""
    if export is not None and import_ is not None:
        raise typer.BadParameter("export or import, one at a time", param_hint="--import")
    with Client(data=data) as client:
        if import_ is not None:
            # All of it is read before anything is sent: a fault in the last line must not leave half of them.
            reply = client.import_verdicts([*_lines_of(import_)])
            if json:
                show_json(reply.model_dump())
            else:
                say(f"{reply.recorded} remembered, {reply.unchanged} known already.")
            return
        known = list(client.verdicts())
    if export is not None:
        _write(export, known)
    standing = [each for each in known if each.verdict != "none"]
    if json:
        show_json([each.model_dump(exclude={"v"}) for each in standing])
    elif export is not None:
        say(f"{len(standing)} verdicts are in {export}.")
    elif standing:
        for each in sorted(standing, key=lambda each: each.at):
            sys.stdout.write(f"{each.at[:19]}Z\t{_words(each)}\t{_name(each, 'a')}\t{_name(each, 'b')}\n")
    else:
        say("There is no verdict yet: `lookalike verdict A B keep-both` gives one.")


def _lines_of(file: Path) -> Iterator[PairVerdict]:
    """The verdicts of a file. Raises Refused, naming the line that is none."""
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise Refused(f"{str(file)!r} cannot be read ({why}).") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield parse_line(line)
            except ValueError as error:
                raise Refused(
                    f"Line {number} of {str(file)!r} is no verdict ({error}); nothing was imported."
                ) from None


def _write(file: Path, known: list[PairVerdict]) -> None:
    """Whole or not at all, withdrawn verdicts included: elsewhere they may not be withdrawn yet."""
    lines = sorted(known, key=lambda each: (each.at, each.contents))
    try:
        write_private(file, "".join(f"{each.line}\n" for each in lines))
    except OSError as error:
        raise Refused(f"{str(file)!r} cannot be written ({error.strerror}).") from error


def _words(verdict: PairVerdict) -> str:
    if verdict.better is None:
        return verdict.verdict
    return f"same, {'the first' if verdict.better == verdict.a else 'the second'} is better"


def _name(verdict: PairVerdict, side: str) -> str:
    """The path that it had, or the beginning of its SHA-256."""
    path, content = (verdict.path_a, verdict.a) if side == "a" else (verdict.path_b, verdict.b)
    return f"sha256:{content[:SHORT_CHARS]}" if path is None else escaped_name(path)
