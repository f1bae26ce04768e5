"""The data folder of a library: one each, found by the library's path, its id, or its place on the disk."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.library.joined.folders import Joined, read_joined
from lookalike.local.folders.library_identity import Owned, adopt, owned_by, place_of
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder, known_folders
from lookalike.system.file_locks import lock_holder

MOST_NAME_CHARS = 40
HASH_CHARS = 8


def folder_of(library: Path | BucketAddress, settings: Settings, more: Sequence[Path] = ()) -> DataFolder:
    """The data folder that is set; else that of this library, whose path is absolute; else a new one.

    The first library of a user has the user's data folder itself, each other one a folder below it. `more` are the
    other folders of a library of several. Raises Misconfigured if they belong to different ones.
    """
    home = data_folder(settings)
    if settings.data is not None:
        return home
    known = {folder: owned_by(folder) for folder in known_folders(home)}
    for witnesses in zip(*(_witnesses(each, settings.library_id) for each in (library, *more)), strict=True):
        found = [folder for folder, owned in known.items() if any(belongs(owned) for belongs in witnesses)]
        if more and len(found) > 1:
            raise Misconfigured(
                f"These folders are libraries of their own, on {' and '.join(str(each.root) for each in found)}: name "
                "another data folder with --data to index them as one."
            )
        if found:
            return found[0]
    # One that is starting for the first time owns nothing yet.
    is_free = home not in known or (known[home].root is None and lock_holder(home.lock) is None)
    return home if is_free else DataFolder(home.libraries / _name_of(library))


def adopt_renamed(library: Path | BucketAddress, folder: DataFolder, given: str | None) -> str | None:
    """Ties the data folder to its library under that one's new path; returns the old path, None if it is another one.

    Nothing is embedded again: the index has paths within the library alone.
    """
    owned = owned_by(folder)
    if owned.root in (None, str(library)) or joined_by(owned).folders:
        return None
    if not (_has_id(given)(owned) or _has_place(library)(owned)):
        return None
    adopt(library, folder)
    return owned.root


def _witnesses(library: Path | BucketAddress, given: str | None) -> list[Callable[[Owned], bool]]:
    """What a data folder may be known by, the surest first."""
    return [_has_path(library), _has_id(given), _has_place(library)]


def _has_path(library: Path | BucketAddress) -> Callable[[Owned], bool]:
    return lambda owned: str(library) in (owned.root, *map(str, joined_by(owned).folders.values()))


def _has_id(given: str | None) -> Callable[[Owned], bool]:
    return lambda owned: given is not None and owned.id == given


def _has_place(library: Path | BucketAddress) -> Callable[[Owned], bool]:
    place = place_of(library)
    # A copy has another place; and where the old path still leads somewhere, it was not renamed.

    def has_place(owned: Owned) -> bool:
        joined = joined_by(owned)
        known = [(owned.place, owned.root), *((joined.places.get(name), path) for name, path in joined.folders.items())]
        return any(place is not None and was == place and not os.path.lexists(str(path)) for was, path in known)

    return has_place


def joined_by(owned: Owned) -> Joined:
    """The folders of a library of several; none of any other."""
    return (None if owned.root is None else read_joined(Path(owned.root))) or Joined({})


def _name_of(library: Path | BucketAddress) -> str:
    """Readable, and another one for each path."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", library.name).strip("-.")[:MOST_NAME_CHARS] or "library"
    return f"{readable}-{hashlib.sha256(os.fsencode(library)).hexdigest()[:HASH_CHARS]}"
