"""Verdicts of people about pairs of photos: a line of JSON each in the data folder, which is carried along here."""

import json
import os
from collections.abc import Iterable

from lookalike.errors import Refused
from lookalike.system.data_folder import PRIVATE_FILE, DataFolder


def read_verdicts(folder: DataFolder | None) -> list[str]:
    """The lines as they are; none where there is no file. One that was cut off is left out."""
    if folder is None or not folder.verdicts.exists():
        return []
    return [line for line in folder.verdicts.read_text("utf-8").splitlines() if _meaning(line) is not None]


def add_verdicts(folder: DataFolder | None, lines: Iterable[str]) -> int:
    """Appends those that are not there yet, in their order. Returns how many. Raises Refused without a data folder."""
    known = {_meaning(line) for line in read_verdicts(folder)}
    new = [line for line in lines if _meaning(line) not in known]
    if not new:
        return 0
    if folder is None:
        raise Refused("The file has verdicts, and there is no data folder to keep them in: name one with --data.")
    descriptor = os.open(folder.verdicts, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in new)
    return len(new)


def _meaning(line: str) -> str | None:
    """The same for lines that differ in blanks and in the order of their fields alone; None for what is no JSON."""
    try:
        return json.dumps(json.loads(line), sort_keys=True)
    except ValueError:
        return None
