"""Commands that pause ingest and let it go on: pause, resume."""

import re
from typing import Annotated

import typer

from lookalike.cli.app import Data, app
from lookalike.cli.output import say
from lookalike.client import Client

UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,6}}){unit})?" for unit in UNITS_S))


@app.command()
def pause(
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End by itself after 90s, 30m, 2h, 1d or 1h30m.")
    ] = None,
    data: Data = None,
) -> None:
    """Embed nothing until `resume`, or for a time; searches go on, and what changes meanwhile is found afterwards."""
    for_s = None if for_ is None else parse_duration(for_)
    with Client(data=data) as client:
        client.pause(for_s)
        say(f"Ingest is {client.status().paused or 'paused'}; what is in work is finished first.")


@app.command()
def resume(data: Data = None) -> None:
    """Go on after `pause`."""
    with Client(data=data) as client:
        client.resume()
        still = client.status().paused
    say(f"Ingest is still {still}." if still else "Ingest goes on; `lookalike status --wait` tells when it is done.")


def parse_duration(text: str) -> float:
    """Seconds of "2h", "1h30m", "90s". Raises BadParameter."""
    found = _DURATION.fullmatch(text.strip().lower())
    counts = ["0"] if found is None else [count or "0" for count in found.groups()]
    seconds = sum(int(count) * unit for count, unit in zip(counts, UNITS_S.values(), strict=False))
    if seconds == 0:
        raise typer.BadParameter(f"{text!r} is no time such as 90s, 30m, 2h, 1d or 1h30m", param_hint="--for")
    return float(seconds)
