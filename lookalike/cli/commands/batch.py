"""`lookalike search -`: many queries by their paths on standard input, each answered by one line of JSON."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import IO, Any

import typer

from lookalike.cli.output import neighbours_json, say_error, show_json
from lookalike.client import Client
from lookalike.client.queries.examples import Example
from lookalike.client.queries.queries import Query
from lookalike.errors import Refused


def search_lines(
    client: Client,
    lines: IO[bytes],
    examples: Sequence[Example],
    limit: int,
    *,
    timeout_s: float | None,
    **fields: Any,
) -> None:
    """Answers each line in its turn; the examples after the first count for all. Exit code 1 if one was refused."""
    first, *others = examples
    paths = _paths(lines)
    failed = total = 0
    # A pipe that never ends is answered, too.
    while some := [*islice(paths, client.settings.max_batch_queries)]:
        queries = [Query([replace(first, image=path), *others], limit, **fields) for path in some]
        for path, answer in zip(some, client.search_many(queries, timeout_s=timeout_s), strict=True):
            total += 1
            failed += answer.error is not None
            show_json(
                {
                    "query": path,
                    "neighbours": neighbours_json(answer.neighbours),
                    "note": answer.neighbours.note,
                    "error": None if answer.error is None else str(answer.error),
                }
            )
    if not total:
        raise Refused("Standard input named no image: write one path a line.")
    if failed:
        say_error(f"{failed} of {total} queries were refused; `error` says of each why.")
        raise typer.Exit(1)


def _paths(lines: IO[bytes]) -> Iterator[str]:
    for line in lines:
        name = line.rstrip(b"\r\n")
        if name:
            yield os.fsdecode(name)
