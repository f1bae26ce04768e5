"""The watched library: its files on disk, their number, and whether it is available. Knows no queue and no index."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lookalike.library.folder import FolderLibrary
from lookalike.library.paths import escape_path
from lookalike.library.rules import Candidates
from producer.links import Links

MISSING = "is missing"
NOT_A_FOLDER = "is not a folder"
EMPTY = "is empty"


@dataclass(frozen=True)
class Count:
    """Numbers of files; `first_unreadable` is the first of the folders that cannot be read."""

    discovered: int = 0
    ignored: int = 0
    unreadable: int = 0
    first_unreadable: str = ""


class Library(FolderLibrary):
    """A library that is watched. `root` must not be a link, because the kernel would watch the link."""

    def __init__(self, root: Path, candidates: Candidates) -> None:
        self.links = Links()
        super().__init__(root, candidates, on_link=self.links.add_link, on_twin=self.links.add_hard_link)

    def absence(self) -> str | None:
        """Why the library is unavailable ("is missing", ...); None if it is available."""
        try:
            with os.scandir(self.root) as entries:
                return None if any(True for _ in entries) else EMPTY
        except FileNotFoundError:
            return MISSING
        except NotADirectoryError:
            return NOT_A_FOLDER
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the root: they differ for another disk or folder at the same path."""
        try:
            found = self.root.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def count(self, should_stop: Callable[[], bool]) -> Count | None:
        """Counts files without opening them; None if `should_stop` returned True."""
        discovered = ignored = 0
        unreadable: list[str] = []
        for at, (_, _, is_candidate) in enumerate(self.entries("", unreadable.append)):
            discovered += is_candidate
            ignored += not is_candidate
            # 4096 entries take a few milliseconds.
            if at % 4096 == 0 and should_stop():
                return None
        return Count(discovered, ignored, len(unreadable), escape_path(unreadable[0]) if unreadable else "")
