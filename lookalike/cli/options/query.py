"""The options that say what is searched for, shared by `search` and `watch`, and the query they make."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lookalike.client import Client
from lookalike.client.queries.examples import Example
from lookalike.errors import Refused
from lookalike.search.filter_text import words_of
from lookalike.settings import read_settings
from lookalike.system.discovery import library_around

Add = Annotated[
    list[str] | None,
    typer.Option(
        "--add", "-a", metavar="[W:]IMAGE", help="Another image to be like; W is its weight: 0.5:b.jpg. Repeatable."
    ),
]
Subtract = Annotated[
    list[str] | None,
    typer.Option("--subtract", "-s", metavar="[W:]IMAGE", help="An image to be unlike. Repeatable."),
]
Box = Annotated[
    str | None,
    typer.Option(
        metavar="L,T,R,B",
        help="The part of IMAGE that counts: left, top, right, bottom, as fractions or in pixels.",
    ),
]
Folder = Annotated[str | None, typer.Option(metavar="DIR", help="Only files in this folder of the library.")]
Since = Annotated[str | None, typer.Option(metavar="DATE", help="Only photos taken then or later: 2024-05.")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="Only photos taken then or earlier: 2024.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="Only files of which this holds: 'format=JPEG width_px>=1000'. Repeatable.",
    ),
]
Piece = Annotated[
    bool, typer.Option("--piece", help="Find what IMAGE is a piece or a copy of: a crop, turned, mirrored, framed.")
]
MinSimilarity = Annotated[
    float | None, typer.Option(metavar="0..1", help="Only what is at least so similar, whatever the metric.")
]

_WEIGHTED = re.compile(r"(\d+(?:\.\d+)?):(.+)", re.DOTALL)
_NUMBER = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*")
SIDES = 4


def examples_of(
    image: str, box: str | None, add: Sequence[str] | None, subtract: Sequence[str] | None
) -> list[Example]:
    """The examples in their order, the first with the box. Raises Refused."""
    first = Example(image) if box is None else _boxed(image, box)
    return [first, *(_weighted(each, 1.0) for each in add or ()), *(_weighted(each, -1.0) for each in subtract or ())]


def filter_of(
    folder: str | None, since: str | None, until: str | None, where: Sequence[str] | None
) -> list[str] | None:
    """The conditions as lookalike/search/filter_text.py has them; None without any. Raises Refused."""
    given = (("folder=", folder), ("taken_at>=", since), ("taken_at<=", until))
    conditions = [f"{field}{value}" for field, value in given if value is not None]
    for line in where or ():
        try:
            conditions += words_of(line)
        except ValueError as error:
            raise Refused(f"--where: {error}.") from None
    return conditions or None


def _weighted(text: str, sign: float) -> Example:
    found = _WEIGHTED.fullmatch(text)
    return Example(text, sign) if found is None else Example(found[2], sign * float(found[1]))


def _boxed(image: str, text: str) -> Example:
    parts = [_NUMBER.fullmatch(part) for part in text.split(",")]
    numbers = [part[1] for part in parts if part is not None]
    if len(numbers) != SIDES or len(parts) != SIDES:
        raise Refused(f"--box {text!r} must be left,top,right,bottom, such as 0.2,0.1,0.6,0.9.")
    # 0,0,1,1 is the whole picture; a box of one pixel is none that anybody wants.
    if all(number.isdigit() for number in numbers) and any(int(number) > 1 for number in numbers):
        return Example(image, box_px=[int(number) for number in numbers])
    return Example(image, box=[float(number) for number in numbers])


def client_near(image: str, data: Path | None) -> Client:
    """A client of the system that is meant: where several run and none is named, of that whose library has IMAGE."""
    return Client(data=data, library=library_around(Path(image), read_settings(data=data)))
