"""A search that can be typed as it stands, for who has just started a system for the first time."""

import os
import shlex
import shutil
import sys
from itertools import islice
from pathlib import Path

from lookalike.errors import Unreachable
from lookalike.library.address import located
from lookalike.library.folder import EMPTY
from lookalike.library.opening import asked_library, candidates_of
from lookalike.library.rules import Candidates
from lookalike.settings import Settings

PROGRAM = "lookalike"
# Of a library: looking further would read a disk for an example.
MOST_FOLDERS = 100


def suggested_search(settings: Settings) -> str:
    """That of the library that is set, which is there. Raises Misconfigured, Unreachable if it does not answer."""
    if settings.library_folder is not None:
        return first_search(settings.library_folder, candidates_of(settings, settings.library_folder))
    with asked_library(settings) as library:
        # Also tells at once of a key that is refused, and of a bucket that is not there.
        absence = library.absence()
        if absence not in (None, EMPTY):
            raise Unreachable(f"The library {library.root} {absence}.")
        # One page of a listing has been had: no more of it is looked through for an example.
        found = next(islice(library.files(), 1), None)
        image = None if found is None or not found.path.isprintable() else located(library.root, found.path)
    return f"{program()} search {'IMAGE' if image is None else shlex.quote(image)}"


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
