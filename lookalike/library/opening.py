"""Opens the library that the settings name, with its rules: those of the settings and those of its ignore file."""

from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.library.folder import FolderLibrary
from lookalike.library.rules import IGNORE_FILE, Candidates
from lookalike.settings import Settings

# Ten thousand patterns and more; each is compared with each file.
MAX_IGNORE_BYTES = 1 << 20


def library_of(settings: Settings) -> FolderLibrary:
    """The library on this machine. Raises Misconfigured if it is not here."""
    root = None if settings.library is None else settings.library.expanduser().resolve()
    if root is None or not root.is_dir():
        raise Misconfigured(
            f"The library {root or ''} is not here: set LOOKALIKE_LIBRARY to the folder with the images."
        )
    return FolderLibrary(root, candidates_of(settings, root))


def candidates_of(settings: Settings, root: Path) -> Candidates:
    """The rules of a library. Raises Misconfigured if the file cannot be read, or for a pattern that cannot work."""
    return Candidates(settings.extensions, settings.ignore, read_ignore_file(root), settings.ignore_defaults)


def read_ignore_file(root: Path) -> tuple[str, ...]:
    """The lines of the ignore file; none without one. Raises Misconfigured."""
    try:
        with (root / IGNORE_FILE).open("rb") as file:
            content = file.read(MAX_IGNORE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise Misconfigured(
            f"{IGNORE_FILE} cannot be read ({error.strerror}): make it readable, or remove it."
        ) from error
    if len(content) > MAX_IGNORE_BYTES:
        raise Misconfigured(
            f"{IGNORE_FILE} has more than {MAX_IGNORE_BYTES} bytes: leave out folders in place of files."
        )
    return tuple(content.decode("utf-8-sig", "surrogateescape").splitlines())
