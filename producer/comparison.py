"""The library against the index: what is new, what changed, what moved, what left. Touches nothing."""

from collections.abc import Iterable, Mapping

from lookalike.library.folder import FileEntry, FileVersion
from lookalike.library.paths import escape_path, is_utf8
from lookalike.messages import KnownFile

# About 60 MB. What does not fit in is removed by the scan after this one.
MOST_VANISHED = 200_000
# Files of one size and mtime that are looked through for a name: thousands of twins must not cost a square.
MOST_TWINS = 50


def changed_files(found: Iterable[FileEntry], known: Mapping[str, KnownFile]) -> list[FileEntry]:
    """The files that the index does not know in this version. `known` has the names as messages say them.

    A file whose name cannot be said is rejected by name: known is known, whatever it looks like.
    """
    return [
        file
        for file in found
        if (entry := known.get(escape_path(file.path))) is None
        or (is_utf8(file.path) and not entry.describes(*file.version))
    ]


class MissingFiles:
    """Files of the index that are not on the disk any more, found again by size and mtime if they only moved."""

    def __init__(self, most_paths: int = MOST_VANISHED) -> None:
        self._most_paths = most_paths
        self._kept = 0
        self._by_looks: dict[tuple[int, int], list[str]] = {}
        # Those that found no room here.
        self.left_over = 0

    def __len__(self) -> int:
        return self._kept + self.left_over

    def add(self, path: str, stamp: FileVersion) -> None:
        """Takes a file that is not where the index says."""
        if self._kept >= self._most_paths:
            self.left_over += 1
            return
        self._kept += 1
        self._by_looks.setdefault(stamp.move_key, []).append(path)

    def take_move_source(self, new: FileEntry) -> str | None:
        """The old name of a new file, handed out once; None if nothing of its size and mtime vanished."""
        paths = self._by_looks.get(new.version.move_key)
        if not paths:
            return None
        # The same name in another folder is a better guess than another name of the same size and mtime.
        name = new.path.rpartition("/")[2]
        at = next((at for at, path in enumerate(paths[:MOST_TWINS]) if path.rpartition("/")[2] == name), -1)
        self._kept -= 1
        old = paths.pop(at)
        if not paths:
            del self._by_looks[new.version.move_key]
        return old

    def rest(self) -> list[str]:
        """What did not move: it was removed."""
        return [path for paths in self._by_looks.values() for path in paths]
