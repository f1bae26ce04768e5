"""Several folders as one library: which of them have which name, and the folder of links that joins them.

Names are kept with the data folder: a folder keeps its name when others come, go, or when it is renamed itself.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import CollectionMismatch, Misconfigured
from lookalike.library.joined.folders import TABLE, Joined, nested, read_joined
from lookalike.local.folders.library_identity import Owned, owned_by, place_of, usable_library
from lookalike.system.data_folder import PRIVATE_FOLDER, DataFolder, write_private

ONLY_THESE = "--only-these"
MOST_NAME_CHARS = 60
# What a person would have to escape, or could not type, when naming a path of the library.
ODD = re.compile(r"[^\w.@+ -]+")


@dataclass(frozen=True)
class Library:
    """A library as all parts get it: the folder itself, or the one that joins several."""

    root: Path
    # What of it differs from the last start, for people.
    news: tuple[str, ...] = ()


def joined_root(folder: DataFolder) -> Path:
    """The folder of links in a data folder, whether it is there or not, without links itself."""
    return (folder.root / "folders").resolve()


def check_folders(folders: Sequence[Path], folder: DataFolder) -> list[Path]:
    """The folders that can be read now. One of several that the data folder knows may be missing, others not.

    Raises Misconfigured, also for one that lies in another: its files would be there twice.
    """
    found = nested(folders)
    if found is not None:
        raise Misconfigured(f"{found[1]} lies in {found[0]}, with which it is indexed: name {found[0]} alone.")
    known = _known(folder) or Joined({})
    there = [path for path in folders if path.exists() or path not in known.folders.values()]
    return [usable_library(path, folder) for path in there or folders]


def join(
    folder: DataFolder, given: Sequence[Path], *, only_these: bool, rebuild: bool, library_id: str | None = None
) -> Library:
    """The library of these folders, absolute and different, on a data folder whose lock is held.

    With the `library_id` of the library itself folders are known by their last names, whatever disk they are on now.
    Raises CollectionMismatch if it belongs to others; Misconfigured if a folder of it is not named, unless `only_these`
    says that it is to be taken out.
    """
    known = None if rebuild else _known(folder)
    if known is None and len(given) == 1:
        return Library(given[0])
    owned = Owned() if rebuild else owned_by(folder)
    is_named = library_id is not None and owned.id == library_id
    before = known or Joined({})
    places = {path: place_of(path) for path in given}
    if known is None and not is_named and not _is_one_of(owned, places):
        raise _belongs_to(folder, str(owned.root))
    now, news = plan(before, given, places, only_these=only_these, is_named=is_named)
    if before.folders and not set(before.folders) & set(now.folders):
        raise _belongs_to(folder, ", ".join(map(str, before.folders.values())))
    root = joined_root(folder)
    write_joined(root, now)
    return Library(root, tuple(news))


def plan(
    known: Joined,
    given: Sequence[Path],
    places: Mapping[Path, tuple[int, int] | None],
    *,
    only_these: bool,
    is_named: bool = False,
) -> tuple[Joined, list[str]]:
    """The folders with their names, and what differs in words; `is_named` if the library was named by its id.

    Raises Misconfigured, see `join`.
    """
    folders, news = dict(known.folders), []
    for path in given:
        if path in folders.values():
            continue
        renamed = (_moved(folders, path) if is_named else None) or _renamed(known, places[path])
        if renamed is not None:
            news.append(f"Known    {path}, before {folders[renamed]}: its part of the index is kept")
            folders[renamed] = path
    absent = {name: path for name, path in folders.items() if path not in given}
    if absent and not only_these and len(absent) < len(folders):
        also = ", ".join(map(str, absent.values()))
        raise Misconfigured(
            f"This library has {also} as well: name all of its folders, or add {ONLY_THESE} to take what is not named "
            "out of the index."
        )
    dropped = {**known.dropped, **absent}
    folders = {name: path for name, path in folders.items() if name not in absent}
    for path in given:
        if path not in folders.values():
            former = next((name for name, there in dropped.items() if there == path), None)
            folders[former or name_for(path, {*folders, *dropped, TABLE})] = path
            dropped.pop(former or "", None)
    news += [f"Out      {path}: its files are taken out of the index" for path in absent.values()]
    news += [f"Missing  {path}: nothing of it is removed" for path in folders.values() if places.get(path) is None]
    found = {name: places.get(path) or known.places.get(name) for name, path in folders.items()}
    kept = {name: place for name, place in found.items() if place is not None}
    return Joined(folders, kept, dropped), news


def name_for(folder: Path, taken: Iterable[str]) -> str:
    """A name for a folder that no other one has, on any file system: its own, with a number if need be."""
    others = {name.casefold() for name in taken}
    own = ODD.sub("-", os.fsencode(folder.name).decode("utf-8", "replace")).strip("- ")[:MOST_NAME_CHARS]
    name = number = own if own.strip(".") else "folder"
    at = 1
    while number.casefold() in others:
        at += 1
        number = f"{name}-{at}"
    return number


def write_joined(root: Path, joined: Joined) -> None:
    """Makes the folder of links, or puts right what is in it."""
    root.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    root.chmod(PRIVATE_FOLDER)
    write_private(root / TABLE, joined.to_json())
    for entry in root.iterdir():
        if entry.is_symlink() and joined.folders.get(entry.name) != entry.readlink():
            entry.unlink()
    for name, path in joined.folders.items():
        if not (root / name).is_symlink():
            (root / name).symlink_to(path, target_is_directory=True)


def root_with(folder: DataFolder, library: Path) -> Path:
    """The library on a data folder, by one of its folders: that which joins them, if there are several."""
    known = _known(folder)
    return library if known is None or library not in known.folders.values() else joined_root(folder)


def _known(folder: DataFolder) -> Joined | None:
    """The folders of the library that the data folder belongs to, if it has several."""
    root, owned = joined_root(folder), owned_by(folder).root
    # The data folder itself may have another path by now, as one that was restored has.
    return read_joined(root) if owned is not None and Path(owned).name == root.name else None


def _is_one_of(owned: Owned, places: Mapping[Path, tuple[int, int] | None]) -> bool:
    """Whether the only folder of the library so far is one of these, if it has one, also under another path."""
    if owned.root is None or owned.root in map(str, places):
        return True
    return owned.place is not None and owned.place in places.values() and not os.path.lexists(owned.root)


def _renamed(known: Joined, place: tuple[int, int] | None) -> str | None:
    """The name of the folder that this one was: at the same place on the disk, its former path gone."""
    return next(
        (name for name, was in known.places.items() if was == place and not os.path.lexists(known.folders[name])), None
    )


def _moved(folders: Mapping[str, Path], path: Path) -> str | None:
    """The name of a folder that was called like this one, its former path gone."""
    return next((name for name, was in folders.items() if was.name == path.name and not os.path.lexists(was)), None)


def _belongs_to(folder: DataFolder, library: str) -> CollectionMismatch:
    return CollectionMismatch(
        f"The data folder {folder.root} belongs to the library {library}: "
        "add --rebuild to index these folders in its place, or name another folder with --data."
    )
