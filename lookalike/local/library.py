"""Which folder may be a library, and which library a data folder belongs to."""

import json
import os
import uuid
from pathlib import Path

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.local.folder import DataFolder, write_private


def usable_library(library: Path, folder: DataFolder) -> Path:
    """The absolute path of a library that can be read and does not contain the data folder. Raises Misconfigured."""
    root = library.expanduser().resolve()
    if not root.exists():
        raise Misconfigured(f"The library {library} does not exist: name a folder with images.")
    if not root.is_dir():
        raise Misconfigured(f"The library {library} is a file: name the folder it is in.")
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except OSError as error:
        raise Misconfigured(
            f"The library {library} cannot be read ({error.strerror}): give yourself the right to read it."
        ) from error
    _refuse_data_inside(root, folder.root.resolve())
    return root


def identity_of(library: Path, folder: DataFolder, *, rebuild: bool) -> str:
    """The id of this library on this data folder, new if it has none. Raises CollectionMismatch for another.

    With `rebuild` another library is welcome. Nothing is kept yet, see `keep_identity`.
    """
    known = json.loads(folder.identity.read_text("utf-8")) if folder.identity.exists() else None
    if known is not None and known["root"] == str(library):
        return str(known["id"])
    if known is None or rebuild:
        return str(uuid.uuid4())
    raise CollectionMismatch(
        f"The data folder {folder.root} belongs to the library {known['root']}: "
        f"add --rebuild to index {library} in its place, or name another folder with --data."
    )


def keep_identity(library: Path, library_id: str, folder: DataFolder) -> None:
    """Ties the data folder to this library. Once there is an index: a start that failed must not bind anybody."""
    write_private(folder.identity, json.dumps({"root": str(library), "id": library_id}))


def _refuse_data_inside(library: Path, data: Path) -> None:
    """A hidden folder is never walked; any other data folder inside would index and wake itself."""
    if data == library or (
        data.is_relative_to(library) and not any(part.startswith(".") for part in data.relative_to(library).parts)
    ):
        raise Misconfigured(
            f"The data folder {data} lies in the library {library}: name one outside with --data or LOOKALIKE_DATA."
        )
