"""Several folders that are one library: what a path of it begins with is the name of its folder.

`lookalike up A B` keeps a private folder in its data folder, the root of such a library: a table of the folders, and a
link to each, so that a path of the library below it leads to the file. Nothing but the table makes a folder a root.
"""

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

TABLE = "folders.json"


@dataclass(frozen=True)
class Joined:
    """The folders by name, in the order in which they were named to `up`, with the device and inode of each.

    `dropped` are the names of folders that were taken out of the library, with their last paths.
    """

    folders: Mapping[str, Path]
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dropped: Mapping[str, Path] = field(default_factory=dict)

    def to_json(self) -> str:
        """As `from_json` reads it; also names that are not UTF-8."""
        folders = {name: os.fspath(path) for name, path in self.folders.items()}
        dropped = {name: os.fspath(path) for name, path in self.dropped.items()}
        return json.dumps({"folders": folders, "places": dict(self.places), "dropped": dropped}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Joined":
        """Raises ValueError, KeyError."""
        known = json.loads(text)
        return cls(
            {name: Path(path) for name, path in known["folders"].items()},
            {name: (int(place[0]), int(place[1])) for name, place in known["places"].items()},
            {name: Path(path) for name, path in known["dropped"].items()},
        )


def read_joined(root: Path) -> Joined | None:
    """The folders that this one joins; None for any other folder.

    Only a folder into which this user alone can write counts: a table says what is read as part of the library.
    """
    try:
        found = root.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            return None
        table = (root / TABLE).stat()
        return _read(root / TABLE, (table.st_ino, table.st_mtime_ns, table.st_size))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        # AttributeError: Windows has no users, and no system can run there.
        return None


@lru_cache(maxsize=8)
def _read(table: Path, _version: tuple[int, int, int]) -> Joined:
    """Asked for every file that is shown or named."""
    return Joined.from_json(table.read_text("ascii"))


def folders_of(root: Path) -> Mapping[str, Path]:
    """The folders of a library by the names that paths in it begin with; of one folder it is "" alone."""
    joined = read_joined(root)
    return {"": root} if joined is None else joined.folders


def shown(root: Path | str) -> str:
    """Where a library is, for people: its folders, or its bucket."""
    return ", ".join(map(str, folders_of(root).values())) if isinstance(root, Path) else root


def split_name(path: str) -> tuple[str, str]:
    """The name of its folder, and the path in that folder."""
    name, _, rest = path.partition("/")
    return name, rest


def file_at(root: Path, path: str) -> Path:
    """The file of a path as it is on the disk, where the path of a library leads through the link of its folder."""
    name, rest = split_name(path)
    folder = folders_of(root).get(name)
    return root / path if folder is None or not rest else folder / rest


def inside(root: Path, file: Path) -> str | None:
    """The path in the library of an absolute file; None for one outside, and for a folder of the library itself."""
    for name, folder in folders_of(root).items():
        if file.is_relative_to(folder) and file != folder:
            path = file.relative_to(folder).as_posix()
            return f"{name}/{path}" if name else path
    # By the link to one of several.
    is_below = file.is_relative_to(root) and file.parent not in (root, root.parent)
    return file.relative_to(root).as_posix() if is_below else None


def nested(folders: Sequence[Path]) -> tuple[Path, Path] | None:
    """Two folders of which the second lies in the first; None if there are none."""
    return next(
        ((outer, inner) for outer in folders for inner in folders if outer != inner and inner.is_relative_to(outer)),
        None,
    )
