"""Which folder may be a library, and which library a data folder belongs to."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import overload

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.system.data_folder import DataFolder, write_private


@overload
def usable_library(library: BucketAddress, folder: DataFolder) -> BucketAddress: ...
@overload
def usable_library(library: Path, folder: DataFolder) -> Path: ...
@overload
def usable_library(library: Path | BucketAddress, folder: DataFolder) -> Path | BucketAddress: ...
def usable_library(library: Path | BucketAddress, folder: DataFolder) -> Path | BucketAddress:
    """The absolute path of a library that can be read and does not contain the data folder. Raises Misconfigured."""
    if isinstance(library, BucketAddress):
        # Whether it answers, the first search that `up` suggests finds out.
        return library
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

    `place` is that library's device and inode, by which it is known when it has another name.
    `ids` are all ids that it ever gave to a library, with that library: an index that names one of them is this data
    folder's own, so that a rebuild may drop it. An id is saved before the store gets it. So a start that was cut off
    leaves no index without an owner.
    """

    root: str | None = None
    id: str | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    place: tuple[int, int] | None = None


def owned_by(folder: DataFolder) -> Owned:
    """What the data folder knows."""
    if not folder.identity.exists():
        return Owned()
    known = json.loads(folder.identity.read_text("utf-8"))
    root, library_id = known["root"], known["id"]
    # A file of an earlier version has no other ids, and no place.
    place = known.get("place")
    return Owned(root, library_id, known.get("ids", {library_id: root}), None if place is None else tuple(place))


def identity_of(library: Path | BucketAddress, folder: DataFolder, *, rebuild: bool, given: str | None = None) -> str:
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
        _write(folder, Owned(known.root, known.id, {**known.ids, library_id: str(library)}, known.place))
    return library_id


def keep_identity(library: Path | BucketAddress, library_id: str, folder: DataFolder) -> None:
    """Ties the data folder to this library. Once there is an index: a start that failed must bind nothing."""
    ids = {**owned_by(folder).ids, library_id: str(library)}
    _write(folder, Owned(str(library), library_id, ids, place_of(library)))


def adopt(library: Path | BucketAddress, folder: DataFolder) -> None:
    """Ties the data folder to its own library under another path. The data folder belongs to one already."""
    known = owned_by(folder)
    keep_identity(library, str(known.id), folder)


def place_of(library: Path | BucketAddress) -> tuple[int, int] | None:
    """Device and inode of the folder; None if it is not there, and for a bucket, which has none."""
    if isinstance(library, BucketAddress):
        return None
    try:
        found = library.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write(folder: DataFolder, owned: Owned) -> None:
    write_private(folder.identity, json.dumps(asdict(owned)))


def _refuse_data_inside(library: Path, data: Path) -> None:
    """A hidden folder is never walked; any other data folder inside the library would be indexed and watched."""
    if data == library or (
        data.is_relative_to(library) and not any(part.startswith(".") for part in data.relative_to(library).parts)
    ):
        raise Misconfigured(
            f"The data folder {data} lies in the library {library}: name one outside with --data or LOOKALIKE_DATA."
        )
