"""Which folder may be a library, and which library a data folder belongs to."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.system.data_folder import DataFolder, write_private


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


@dataclass(frozen=True)
class Owned:
    """What a data folder knows of libraries: `root` and `id` of the one it belongs to, none before its first start.

    `ids` are all ids that it ever gave to a library, with that library: an index that names one of them is this data
    folder's own, so that a rebuild may drop it. An id is saved before the store gets it. So a start that was cut off
    leaves no index without an owner.
    """

    root: str | None = None
    id: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)


def owned_by(folder: DataFolder) -> Owned:
    """What the data folder knows."""
    if not folder.identity.exists():
        return Owned()
    known = json.loads(folder.identity.read_text("utf-8"))
    return Owned(known["root"], known["id"], known["ids"])


def identity_of(library: Path, folder: DataFolder, *, rebuild: bool, given: str | None = None) -> str:
    """The id of this library on this data folder, new if it has none. Raises CollectionMismatch for another.

    With `rebuild` another library is allowed. `given` is LOOKALIKE_LIBRARY_ID. The id is saved, but does not bind the
    data folder yet, see `keep_identity`.
    """
    known = owned_by(folder)
    if known.root is not None and known.root != str(library) and not rebuild:
        raise CollectionMismatch(
            f"The data folder {folder.root} belongs to the library {known.root}: "
            f"add --rebuild to index {library} in its place, or name another folder with --data."
        )
    before = next((library_id for library_id, root in known.ids.items() if root == str(library)), None)
    bound = known.id if known.root == str(library) else None
    library_id = given or bound or before or str(uuid.uuid4())
    if library_id not in known.ids:
        _write(folder, Owned(known.root, known.id, {**known.ids, library_id: str(library)}))
    return library_id


def keep_identity(library: Path, library_id: str, folder: DataFolder) -> None:
    """Ties the data folder to this library. Once there is an index: a start that failed must bind nothing."""
    _write(folder, Owned(str(library), library_id, {**owned_by(folder).ids, library_id: str(library)}))


def _write(folder: DataFolder, owned: Owned) -> None:
    write_private(folder.identity, json.dumps({"root": owned.root, "id": owned.id, "ids": dict(owned.ids)}))


def _refuse_data_inside(library: Path, data: Path) -> None:
    """A hidden folder is never walked; any other data folder inside the library would be indexed and watched."""
    if data == library or (
        data.is_relative_to(library) and not any(part.startswith(".") for part in data.relative_to(library).parts)
    ):
        raise Misconfigured(
            f"The data folder {data} lies in the library {library}: name one outside with --data or LOOKALIKE_DATA."
        )
