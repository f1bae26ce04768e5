"""Which names in a library are candidates for the index. Touches no disk."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath

# What systems leave between people's photos; `@eaDir` is Synology's, the rest Windows', macOS' and Linux'.
SYSTEM_NAMES = frozenset(
    {
        *("@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "__macosx"),
        *("thumbs.db", "desktop.ini", "ehthumbs.db"),
    }
)
# Downloads and copies that are not finished, and what editors keep.
PARTIAL_SUFFIXES = (
    ".part",
    ".crdownload",
    ".tmp",
    ".temp",
    ".partial",
    ".download",
    ".opdownload",
    ".swp",
    "~",
)


@dataclass(frozen=True)
class Candidates:
    """The rule: known extension, nothing hidden, partial or of the system, no ignored glob.

    Globs match the whole relative path or any one name in it, so `raw/*` and `*.draft.jpg` both work.
    """

    extensions: Iterable[str]
    ignore: tuple[str, ...] = ()
    _suffixes: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        suffixes = frozenset("." + extension.lower().lstrip(".") for extension in self.extensions)
        object.__setattr__(self, "_suffixes", suffixes)

    def is_candidate(self, path: str) -> bool:
        """Whether the file at this relative POSIX path belongs into the index."""
        folder, _, name = path.rpartition("/")
        return self.is_candidate_in_folder(path, name) and (not folder or self.includes_folder(folder))

    def is_candidate_in_folder(self, path: str, name: str) -> bool:
        """The same for a file whose folder is entered: a walk asks about each folder once, not for each file."""
        stem, dot, extension = name.lower().rpartition(".")
        return (
            bool(stem)
            and dot + extension in self._suffixes
            and not name.lower().endswith(PARTIAL_SUFFIXES)
            and not self._is_left_out(name)
            and not (self.ignore and self._is_ignored(path, PurePosixPath(path).parts))
        )

    def includes_folder(self, folder: str) -> bool:
        """Whether a walk goes into the folder at this relative POSIX path."""
        parts = PurePosixPath(folder).parts
        return not any(self._is_left_out(part) for part in parts) and not self._is_ignored(folder, parts)

    @staticmethod
    def _is_left_out(part: str) -> bool:
        return part.startswith(".") or part.lower() in SYSTEM_NAMES

    def _is_ignored(self, path: str, parts: tuple[str, ...]) -> bool:
        return any(fnmatch(path, glob) or any(fnmatch(part, glob) for part in parts) for glob in self.ignore)
