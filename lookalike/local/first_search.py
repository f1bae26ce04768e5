"""A search that can be typed as it stands, for who has just started a system for the first time."""

import os
import shlex
import shutil
import sys
from itertools import islice
from pathlib import Path

from lookalike.library.rules import Candidates

PROGRAM = "lookalike"
# Of a library: looking further would read a disk for an example.
MOST_FOLDERS = 100


def first_search(library: Path, candidates: Candidates) -> str:
    """The command: with the path of the program unless PATH leads to it, and with an image if one is near at hand."""
    image = _an_image(library, candidates)
    return f"{program()} search {'IMAGE' if image is None else shlex.quote(image)}"


def program(started_as: str | None = None, path: str | None = None) -> str:
    """How this program is called from another terminal, quoted for a shell."""
    ours = Path(sys.argv[0] if started_as is None else started_as).absolute()
    found = shutil.which(PROGRAM, path=path)
    if ours.name != PROGRAM or not ours.is_file() or (found is not None and ours.samefile(found)):
        return PROGRAM
    return shlex.quote(str(ours))


def _an_image(library: Path, candidates: Candidates) -> str | None:
    for folder, _, names in islice(os.walk(library), MOST_FOLDERS):
        for name in sorted(names):
            file = Path(folder) / name
            # What would be escaped on the screen cannot be typed from it.
            if str(file).isprintable() and candidates.is_candidate(file.relative_to(library).as_posix()):
                return str(file)
    return None
